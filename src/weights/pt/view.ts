/** Reads strided views of a storage in row-major order. */
import { WeightsError } from '../../errors.ts';
import type { CheckpointTensor } from '../checkpoint.ts';
import { type ByteSource, checkRange, readExactly } from '../source.ts';
import { ELEMENT_BYTES, PACKED } from './dtypes.ts';
import { describeValue, type PtTensor, sizeOfStorage } from './values.ts';
import type { ByteRange } from './zip.ts';

/** Most bytes of a storage in memory at once while a strided view is gathered. */
const WINDOW_BYTES = 2 ** 25;

/** Lengths and steps of the dimensions that matter, outermost first. */
interface Dimension {
  readonly size: number;
  readonly stride: number;
}

/**
 * A tensor of an archive by its name.
 * @param range Where its storage lies.
 * @throws WeightsError when it reaches beyond its storage, or has more bytes than the file.
 */
export function viewTensor(
  source: ByteSource,
  name: string,
  tensor: PtTensor,
  range: ByteRange,
): CheckpointTensor {
  const { storage, shape, stride, offset, dtype } = tensor;
  const fail = (message: string): never => {
    throw new WeightsError(`${source.name}: tensor ${describeValue(name)}: ${message}`);
  };
  const size = ELEMENT_BYTES[dtype];
  const packed = PACKED[dtype] ?? 1;
  const length = shape.reduce((product, n) => product * n, 1);
  // A size of 0 must not hide others that no file has.
  if (!Number.isSafeInteger(shape.reduce((product, n) => product * Math.max(n, 1), size))) {
    fail(`${dtype}[${shape}] has too many elements to count`);
  }
  // A view may repeat elements: without this, a small file could claim any size.
  if ((length / packed) * size > source.byteLength) {
    fail(`${dtype}[${shape}] has more bytes than the whole file (${source.byteLength})`);
  }
  const last = shape.reduce((sum, n, i) => sum + (n - 1) * (stride[i] as number), offset);
  const stored = Math.floor(sizeOfStorage(storage) / size) * packed;
  if (length > 0 && last >= stored) {
    fail(`ends at element ${last}, but its storage ${describeValue(storage.key)} has ${stored}`);
  }
  const dimensions = simplify(shape, stride);
  const [inner] = dimensions;
  const contiguous = dimensions.length === 0 || (dimensions.length === 1 && inner?.stride === 1);
  const bounds = { name: `${source.name}: tensor ${describeValue(name)}`, byteLength: length };
  return {
    name,
    dtype,
    shape,
    length,
    async read(start, count) {
      checkRange(bounds, start, count);
      if (packed > 1) fail(`elements of ${dtype}, of which a byte holds ${packed}, are not read`);
      if (count === 0) return new Uint8Array(0);
      return contiguous
        ? readExactly(source, range.offset + (offset + start) * size, count * size)
        : gather(source, range.offset, { dimensions, offset, size }, start, count);
    },
  };
}

/** Drops dimensions of size 1 and joins those that follow each other in memory. */
function simplify(shape: readonly number[], stride: readonly number[]): Dimension[] {
  const joined: Dimension[] = [];
  for (const [i, size] of shape.entries()) {
    const step = stride[i] as number;
    const outer = joined.at(-1);
    if (size === 1) continue;
    if (outer && outer.stride === size * step) {
      joined[joined.length - 1] = { size: outer.size * size, stride: step };
    } else joined.push({ size, stride: step });
  }
  return joined;
}

interface View {
  readonly dimensions: readonly Dimension[];
  /** Of the first element, in elements of the storage. */
  readonly offset: number;
  /** Bytes of an element. */
  readonly size: number;
}

/** Reads the part of the storage that the elements lie in window by window, and picks them out. */
async function gather(
  source: ByteSource,
  storageOffset: number,
  view: View,
  start: number,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { size } = view;
  const result = new Uint8Array(count * size);
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  walk(view, start, count, (element) => {
    low = Math.min(low, element);
    high = Math.max(high, element);
  });
  const perWindow = WINDOW_BYTES / size;
  for (let from = low; from <= high; from += perWindow) {
    const to = Math.min(from + perWindow, high + 1);
    const bytes = await readExactly(source, storageOffset + from * size, (to - from) * size);
    walk(view, start, count, (element, index) => {
      if (element < from || element >= to) return;
      const at = (element - from) * size;
      for (let b = 0; b < size; b++) result[index * size + b] = bytes[at + b] as number;
    });
  }
  return result;
}

/** Calls `visit` with the place in the storage of each of the elements, and its index from 0. */
function walk(
  { dimensions, offset }: View,
  start: number,
  count: number,
  visit: (element: number, index: number) => void,
): void {
  const at = new Array<number>(dimensions.length).fill(0);
  let element = offset;
  let rest = start;
  for (let d = dimensions.length - 1; d >= 0; d--) {
    const { size, stride } = dimensions[d] as Dimension;
    at[d] = rest % size;
    rest = Math.floor(rest / size);
    element += (at[d] as number) * stride;
  }
  for (let index = 0; index < count; index++) {
    visit(element, index);
    for (let d = dimensions.length - 1; d >= 0; d--) {
      const { size, stride } = dimensions[d] as Dimension;
      const next = (at[d] as number) + 1;
      element += stride;
      if (next < size) {
        at[d] = next;
        break;
      }
      element -= next * stride;
      at[d] = 0;
    }
  }
}
