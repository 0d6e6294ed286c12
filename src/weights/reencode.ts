/** Turns tensors of a checkpoint into tensors of another element type, piece by piece. */
import { WeightsError } from '../errors.ts';
import { type CheckpointTensor, pieces } from './checkpoint.ts';
import { assertFinite, decodeF32, isWeightDType, type Origin } from './convert.ts';
import type { EncodedPart, Losses, WeightFormat } from './formats.ts';
import type { FileDType } from './safetensors.ts';
import type { TensorOutput } from './safetensors-writer.ts';

/** Elements in memory at once, unless a single row has more. */
const CHUNK_ELEMENTS = 2 ** 20;

/** The largest values of types that do not hold every float. */
const LARGEST: Readonly<Partial<Record<FileDType, number>>> = { F16: 65504, BF16: 3.3895314e38 };

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
  const { name, dtype, shape } = tensor;
  const origin: Origin = { file, tensor: name };
  if (!isWeightDType(dtype) && dtype !== 'F64') {
    throw new WeightsError(
      `${file}: tensor "${name}" is ${dtype}: expected F32, F16, BF16 or F64 weights`,
    );
  }
  const parts = format(origin, shape);
  return parts.map((part) => ({
    name: part.name,
    dtype: part.dtype,
    shape: part.shape,
    chunks: () => encodedChunks(origin, tensor, part, losses, parts.length === 1),
  }));
}

/** @param alone Whether the part holds the whole tensor, so that equal types need no conversion. */
async function* encodedChunks(
  origin: Origin,
  tensor: CheckpointTensor,
  part: EncodedPart,
  losses: Losses,
  alone: boolean,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { dtype, shape, length } = tensor;
  const before = losses.overflowed;
  const row = shape.slice(1).reduce((product, n) => product * n, 1);
  const perPiece = Math.max(1, Math.floor(CHUNK_ELEMENTS / Math.max(1, row))) * Math.max(1, row);
  for (const { start, count } of pieces(length, perPiece)) {
    const bytes = await tensor.read(start, count);
    if (alone && dtype === part.dtype && isWeightDType(dtype)) {
      assertFinite(origin, dtype, bytes, start);
      yield bytes;
    } else yield part.encode(toF32(origin, dtype, bytes, start), losses);
  }
  const overflowed = losses.overflowed - before;
  if (overflowed > 0) {
    throw new WeightsError(
      `${origin.file}: tensor "${origin.tensor}" has ${overflowed} of ${length} values beyond ` +
        `${LARGEST[part.dtype]}, the largest ${part.dtype}: convert to another type`,
    );
  }
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
