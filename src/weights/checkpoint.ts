/** Named tensors of a file, whatever its format. */

import { WeightsError } from '../errors.ts';
import { withoutWrapperNames } from './key-prefixes.ts';
import { isPt } from './pt/archive.ts';
import { openPt } from './pt/open.ts';
import { DTYPE_BYTES, openSafetensors, type Safetensors } from './safetensors.ts';
import { type ByteSource, readExactly } from './source.ts';

/** A tensor whose elements are read in row-major order, however the file holds them. */
export interface CheckpointTensor {
  readonly name: string;
  /** Element type as safetensors calls it, or another name where it has none: no weight has such. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Elements. */
  readonly length: number;
  /**
   * Reads `count` elements from element `start` on, little-endian. Memory in use stays near the size
   * of the result.
   * @throws WeightsError when the tensor or the file does not have them.
   */
  read(start: number, count: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** A plain value of training arguments. */
export type Scalar = string | number | boolean | null;

/** An opened file. Tensor data is still unread. */
export interface Checkpoint {
  /** Of the file, for messages. */
  readonly name: string;
  /** Of the file. */
  readonly byteLength: number;
  /** By name without that of wrappers (`module.`, `_orig_mod.`), in the order of the file. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /**
   * Where the state dict was found in what was saved: keys joined by dots, e.g. `model` or
   * `checkpoint.ema`; empty for the file itself.
   */
  readonly takenFrom: string;
  /** Where the file has other state dicts, which were left aside. */
  readonly others: readonly string[];
  /**
   * Scalars among the arguments of the training that were saved beside the state dict, by name, e.g.
   * `image_size`. Empty when there are none.
   */
  readonly args: ReadonlyMap<string, Scalar>;
}

/** Bytes that tell the formats apart: a safetensors header begins behind its length. */
const MAGIC_BYTES = 9;
const BRACE = 0x7b;

/**
 * Opens a `.pt` file of `torch.save` (either format) or a safetensors file, told apart by content.
 * @throws WeightsError when it is neither, or broken.
 */
export async function openCheckpoint(source: ByteSource): Promise<Checkpoint> {
  const start = await readExactly(source, 0, Math.min(MAGIC_BYTES, source.byteLength));
  if (isPt(start)) {
    const file = await openPt(source);
    return { ...file, tensors: withoutWrapperNames(file.name, file.tensors) };
  }
  if (start[MAGIC_BYTES - 1] !== BRACE) {
    throw new WeightsError(
      `${source.name}: expected a checkpoint of torch.save (.pt) or a safetensors file; it is neither`,
    );
  }
  return { ...safetensorsCheckpoint(await openSafetensors(source)), byteLength: source.byteLength };
}

/** The tensors of a safetensors file, or of several shards; its length is that of their data. */
export function safetensorsCheckpoint(file: Safetensors): Checkpoint {
  const entries = [...file.tensors.values()];
  const made = entries.map(({ name, dtype, shape, source, offset, byteLength }) => {
    const size = DTYPE_BYTES[dtype];
    const tensor: CheckpointTensor = {
      name,
      dtype,
      shape,
      length: byteLength / size,
      read: (start, count) => readExactly(source, offset + start * size, count * size),
    };
    return [name, tensor] as const;
  });
  const byteLength = entries.reduce((sum, entry) => sum + entry.byteLength, 0);
  return {
    name: file.name,
    byteLength,
    tensors: withoutWrapperNames(file.name, new Map(made)),
    takenFrom: '',
    others: [],
    args: new Map(),
  };
}

/** Splits `length` elements into pieces of at most `most`. */
export function* pieces(
  length: number,
  most: number,
): Generator<{ readonly start: number; readonly count: number }> {
  for (let start = 0; start < length; start += most) {
    yield { start, count: Math.min(most, length - start) };
  }
}
