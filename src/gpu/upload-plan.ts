/** What is read for every weight of a graph, and where on the device it goes. Touches no device. */
import type { MatrixDType, QuantDType } from '../../kernels/kernel.ts';
import { isQuantised } from '../../kernels/lib/quants.ts';
import { WeightsError } from '../errors.ts';
import { byteLength, describe, elementCount, storedAs, type Tensor } from '../graph/tensor.ts';
import { isWeightDType } from '../weights/convert.ts';
import type { WantedTensor } from '../weights/join.ts';
import { quantDTypeOf, quantisedEntries, scalesName } from '../weights/quantize.ts';
import type { Safetensors, TensorEntry } from '../weights/safetensors.ts';

/** Binding offsets must be multiples of this on every adapter (WebGPU default limit). */
const OFFSET_ALIGNMENT = 256;

/** A place on the device. */
export interface Place {
  readonly tensor: Tensor;
  /** Index of the buffer. */
  readonly buffer: number;
  /** Bytes from its start. */
  readonly offset: number;
}

/** Bytes of a file, and the tensors made of them. */
export interface Job {
  readonly entry: TensorEntry;
  /** Position in the file of the first byte. */
  readonly offset: number;
  readonly byteLength: number;
  /** Flat index in the stored tensor of the first element. */
  readonly firstElement: number;
  readonly values: Place;
  /** Where the scales go that quantising makes; the file has none. */
  readonly scales?: Place | undefined;
  /** Where what the tensor's kernel makes of the values goes; they themselves are not kept. */
  readonly made?: Place | undefined;
}

/** A buffer to be made. */
export interface SharedBuffer {
  readonly label: string;
  /** In bytes. */
  size: number;
  /** What is there is needed only while weights are loaded. */
  readonly isPassing?: boolean | undefined;
}

export interface UploadPlan {
  /** In the order of the data in their files. */
  readonly jobs: readonly Job[];
  readonly buffers: readonly SharedBuffer[];
}

/** State-dict name of what a weight is loaded from: of its matrix, for scales. */
const storedName = ({ name, origin }: Tensor): string => origin?.name ?? name;

/** Whether a file has a tensor as integers. */
const storedQuants = (file: Safetensors, name: string): QuantDType | undefined =>
  quantDTypeOf(file.tensors.get(name)?.dtype);

/**
 * The stored tensors that weights are loaded from, as `matchTensors` wants them: parts count as their
 * whole, and scales are wanted where the file has integers.
 */
export function wantedTensors(file: Safetensors, tensors: readonly Tensor[]): WantedTensor[] {
  const wanted = new Map<string, WantedTensor>();
  for (const tensor of tensors) {
    const { origin } = tensor;
    const { shape } = storedAs(tensor);
    if (origin?.scales) continue;
    const name = storedName(tensor);
    const full = [origin?.rows ?? shape[0] ?? 1, ...shape.slice(1)];
    const quants = isQuantised(tensor.dtype as MatrixDType) ? storedQuants(file, name) : undefined;
    const entries =
      quants && shape.length === 2
        ? quantisedEntries(quants, name, [full[0] ?? 1, full[1] ?? 1])
        : [{ name, shape: shape.length === 0 ? [] : full }];
    for (const entry of entries) wanted.set(entry.name, { name: entry.name, shape: entry.shape });
  }
  return [...wanted.values()];
}

/**
 * Plans one job per weight, and shared buffers of up to `cut` bytes; a tensor larger than that has a
 * buffer of its own.
 * @param tensors Handles of life `weight`; a name given twice is loaded once.
 * @throws WeightsError when the file does not have what is wanted, RangeError for other handles.
 */
export function planUpload(file: Safetensors, tensors: readonly Tensor[], cut: number): UploadPlan {
  const unique = uniqueWeights(file, tensors);
  const made = new Map<string, Tensor>();
  const found: { tensor: Tensor; range: Omit<Job, 'values' | 'scales'> }[] = [];
  for (const tensor of unique) {
    const quantised = storedQuants(file, storedName(tensor)) !== undefined;
    // Scales that the file does not have come out of quantising the values they belong to.
    if (tensor.origin?.scales && !quantised) made.set(partKey(tensor), tensor);
    else found.push({ tensor, range: rangeOf(file, tensor) });
  }
  // File by file, each from its beginning to its end.
  const files = [...new Set(found.map(({ range }) => range.entry.source))];
  const order = new Map(files.map((source, i) => [source, i]));
  const fileOf = ({ range }: (typeof found)[number]): number => order.get(range.entry.source) ?? 0;
  found.sort((a, b) => fileOf(a) - fileOf(b) || a.range.offset - b.range.offset);
  // Whatever a kernel makes weights of passes through one buffer, the first.
  const passing = unique.flatMap((t) => (t.madeBy ? [byteLength(storedAs(t))] : []));
  const size = Math.max(0, ...passing);
  const buffers: SharedBuffer[] =
    size > 0 ? [{ label: 'weights as stored', size, isPassing: true }] : [];
  const place = (tensor: Tensor): Place => {
    const bytes = byteLength(tensor);
    const last = buffers.at(-1);
    const open = last?.isPassing ? undefined : last;
    const offset = open ? Math.ceil(open.size / OFFSET_ALIGNMENT) * OFFSET_ALIGNMENT : 0;
    if (open && offset + bytes <= cut) {
      open.size = offset + bytes;
      return { tensor, buffer: buffers.length - 1, offset };
    }
    buffers.push({ label: `weights from ${tensor.name}`, size: bytes });
    return { tensor, buffer: buffers.length - 1, offset: 0 };
  };
  const jobs = found.map(({ tensor, range }): Job => {
    const values = place(tensor);
    if (tensor.madeBy) {
      const stored = { ...tensor, ...storedAs(tensor) };
      return { ...range, values: { tensor: stored, buffer: 0, offset: 0 }, made: values };
    }
    const scales = tensor.origin?.scales ? undefined : made.get(partKey(tensor));
    return { ...range, values, ...(scales && { scales: place(scales) }) };
  });
  return { jobs, buffers };
}

/** The same for values and scales of the same rows. */
const partKey = (tensor: Tensor): string =>
  `${storedName(tensor)} ${tensor.origin?.firstRow ?? 0} ${tensor.shape[0]}`;

function uniqueWeights(file: Safetensors, tensors: readonly Tensor[]): Tensor[] {
  const unique = new Map<string, Tensor>();
  for (const tensor of tensors) {
    const { name, dtype, life } = tensor;
    const where = `${file.name}: tensor "${name}"`;
    if (life !== 'weight' || dtype === 'u32' || dtype === 'i32') {
      throw new RangeError(
        `${where} expected a weight of floats or quants, got a ${life} ${describe(tensor)}`,
      );
    }
    const before = unique.get(name);
    if (before && describe(before) !== describe(tensor)) {
      throw new RangeError(
        `${where} is asked for as ${describe(before)} and as ${describe(tensor)}`,
      );
    }
    unique.set(name, tensor);
  }
  return [...unique.values()];
}

/** The bytes of the stored rows, checked to be what the weight wants. */
function rangeOf(file: Safetensors, tensor: Tensor): Omit<Job, 'values' | 'scales'> {
  const { origin } = tensor;
  const { dtype, shape } = storedAs(tensor);
  const base = storedName(tensor);
  const quants = storedQuants(file, base);
  const name = origin?.scales ? scalesName(base) : base;
  const where = `${file.name}: tensor "${name}"`;
  const entry = file.tensors.get(name);
  if (!entry) throw new WeightsError(`${where} is missing`);
  const asStored = quants !== undefined && dtype === quants;
  if (!asStored && !isWeightDType(entry.dtype)) {
    throw new WeightsError(
      quants
        ? `${where} is stored as ${quants} and cannot be loaded as ${dtype}: integers load only as they are`
        : `${where} expected F32, F16 or BF16 values, got ${entry.dtype}`,
    );
  }
  const rows = origin?.rows ?? shape[0] ?? 1;
  const full = shape.length === 0 ? [] : [rows, ...shape.slice(1)];
  const stored = asStored ? quantisedEntries(quants, base, [rows, full[1] ?? 1])[0]?.shape : full;
  if (String(entry.shape) !== String(stored) || entry.shape.length !== stored?.length) {
    throw new WeightsError(`${where} expected shape [${stored}], got [${entry.shape}]`);
  }
  const rowBytes = rows === 0 ? 0 : entry.byteLength / rows;
  const firstRow = origin?.firstRow ?? 0;
  const count = shape[0] ?? 1;
  return {
    entry,
    offset: entry.offset + firstRow * rowBytes,
    byteLength: count * rowBytes,
    firstElement: rows === 0 ? 0 : firstRow * (elementCount(entry.shape) / rows),
  };
}
