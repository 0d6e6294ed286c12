/** Turns tensors of a checkpoint into tensors of another element type, piece by piece. */
import { WeightsError } from '../errors.ts';
import { type CheckpointTensor, pieces } from './checkpoint.ts';
import { assertFinite, decodeF32, isWeightDType, type Origin } from './convert.ts';
import {
  type EncodedPart,
  type FloatDType,
  formatOf,
  type Losses,
  type WeightFormat,
} from './formats.ts';
import { DTYPE_BYTES, type FileDType } from './safetensors.ts';
import type { TensorOutput } from './safetensors-writer.ts';

/** Elements in memory at once, unless a single row has more. */
const CHUNK_ELEMENTS = 2 ** 20;

/** The largest values of types that do not hold every float. */
const LARGEST: Readonly<Partial<Record<FileDType, number>>> = { F16: 65504, BF16: 3.3895314e38 };

/** A tensor of a checkpoint in another float type, element for element. */
export interface EncodedTensor {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  readonly elementBytes: number;
  /**
   * The elements from `start` on, little-endian.
   * @throws WeightsError when one is not finite, or too large for the type.
   */
  read(start: number, count: number): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * A tensor that is encoded where it is read.
 * @param file Names the checkpoint in messages.
 * @throws WeightsError when the elements are not floats.
 */
export function encodedTensor(
  file: string,
  tensor: CheckpointTensor,
  dtype: FloatDType,
): EncodedTensor {
  const origin = originOf(file, tensor);
  const [part] = formatOf(dtype)(origin, tensor.shape);
  if (!part) throw new RangeError(`${dtype}: no float type`);
  return {
    ...{ name: part.name, dtype: part.dtype, shape: part.shape },
    elementBytes: DTYPE_BYTES[part.dtype],
    async read(start, count) {
      const losses: Losses = { flushed: 0, overflowed: 0 };
      const bytes = await encodeRange(origin, tensor, part, true, { start, count, losses });
      assertKept(origin, part, losses.overflowed, count);
      return bytes;
    },
  };
}

/**
 * The output tensors for a tensor of a checkpoint. Each reads the input when it is written.
 * @param file Names the checkpoint in messages.
 * @param losses What the encoding loses is added here while the tensors are written.
 * @throws WeightsError when the elements are not floats; while writing, when one is not finite, and
 * at the end of a tensor when some were too large for the format.
 */
export function reencode(
  file: string,
  tensor: CheckpointTensor,
  format: WeightFormat,
  losses: Losses,
): TensorOutput[] {
  const origin = originOf(file, tensor);
  const parts = format(origin, tensor.shape);
  return parts.map((part) => ({
    name: part.name,
    dtype: part.dtype,
    shape: part.shape,
    chunks: () => encodedChunks(origin, tensor, part, losses, parts.length === 1),
  }));
}

/** @throws WeightsError when the elements of a tensor are not floats. */
function originOf(file: string, { name, dtype }: CheckpointTensor): Origin {
  if (isWeightDType(dtype) || dtype === 'F64') return { file, tensor: name };
  throw new WeightsError(
    `${file}: tensor "${name}" is ${dtype}: expected F32, F16, BF16 or F64 weights`,
  );
}

/** @param alone Whether the part holds the whole tensor, so that equal types need no conversion. */
async function* encodedChunks(
  origin: Origin,
  tensor: CheckpointTensor,
  part: EncodedPart,
  losses: Losses,
  alone: boolean,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { shape, length } = tensor;
  const before = losses.overflowed;
  const row = shape.slice(1).reduce((product, n) => product * n, 1);
  const perPiece = Math.max(1, Math.floor(CHUNK_ELEMENTS / Math.max(1, row))) * Math.max(1, row);
  for (const { start, count } of pieces(length, perPiece)) {
    yield await encodeRange(origin, tensor, part, alone, { start, count, losses });
  }
  assertKept(origin, part, losses.overflowed - before, length);
}

interface Range {
  readonly start: number;
  readonly count: number;
  readonly losses: Losses;
}

/** The bytes of a part for some elements of its tensor, whole rows where the part needs them. */
async function encodeRange(
  origin: Origin,
  tensor: CheckpointTensor,
  part: EncodedPart,
  alone: boolean,
  { start, count, losses }: Range,
): Promise<Uint8Array<ArrayBuffer>> {
  const { dtype } = tensor;
  const bytes = await tensor.read(start, count);
  if (!alone || dtype !== part.dtype || !isWeightDType(dtype)) {
    return part.encode(toF32(origin, dtype, bytes, start), losses);
  }
  assertFinite(origin, dtype, bytes, start);
  return bytes;
}

/** @throws WeightsError when values were too large for the type. */
function assertKept(
  { file, tensor }: Origin,
  { dtype }: EncodedPart,
  overflowed: number,
  length: number,
): void {
  if (overflowed === 0) return;
  throw new WeightsError(
    `${file}: tensor "${tensor}" has ${overflowed} of ${length} values beyond ` +
      `${LARGEST[dtype]}, the largest ${dtype}: convert to another type`,
  );
}

/** Finite floats of any stored float type. */
function toF32(
  origin: Origin,
  dtype: CheckpointTensor['dtype'],
  bytes: Uint8Array<ArrayBuffer>,
  start: number,
): Float32Array<ArrayBuffer> {
  if (isWeightDType(dtype)) {
    assertFinite(origin, dtype, bytes, start);
    return decodeF32(dtype, bytes);
  }
  const singles = Float32Array.from(new Float64Array(bytes.slice().buffer));
  assertFinite(origin, 'F32', new Uint8Array(singles.buffer), start);
  return singles;
}
