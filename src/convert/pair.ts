/** The two checkpoints that make a model. */
import { OptionError } from '../errors.ts';
import { recognise } from '../models/checkpoint-config.ts';
import type { ArgsSource } from '../models/training-args.ts';
import type { Checkpoint } from '../weights/checkpoint.ts';

/** A checkpoint, and what is known of it besides. */
export interface NamedCheckpoint {
  /** As it was given, for messages. */
  readonly path: string;
  /** Names that may tell the size of its images: that of the file, and that of the folder it stands for. */
  readonly titles: readonly string[];
  readonly checkpoint: Checkpoint;
  /** Arguments saved in the file, and in a `config.json` beside it. */
  readonly args: readonly ArgsSource[];
}

/** The name of its file. */
export const titleOf = ({ titles, path }: NamedCheckpoint): string => titles[0] ?? path;

export interface CheckpointPair<T extends NamedCheckpoint = NamedCheckpoint> {
  readonly gpt: T;
  readonly vq: T;
}

/**
 * Opens two checkpoints and sees which is the decoder and which the tokenizer.
 * @throws OptionError when one of them is missing or there twice, WeightsError when a file is neither.
 */
export async function openPair<T extends NamedCheckpoint>(
  paths: readonly string[],
  open: (path: string) => Promise<T>,
): Promise<CheckpointPair<T>> {
  const found: { gpt?: T; vq?: T } = {};
  for (const path of paths) {
    const source = await open(path);
    const kind = recognise(source.checkpoint);
    const before = found[kind];
    if (before) {
      const what = kind === 'gpt' ? 'decoders' : 'tokenizers';
      throw new OptionError(`${before.path} and ${path} are both ${what}: give one of each`);
    }
    found[kind] = source;
  }
  if (found.gpt && found.vq) return { gpt: found.gpt, vq: found.vq };
  const missing = found.gpt
    ? 'a tokenizer, like vq_ds16_c2i.pt'
    : found.vq
      ? 'a decoder, like c2i_B_256.pt'
      : 'a decoder and a tokenizer, like c2i_B_256.pt and vq_ds16_c2i.pt';
  throw new OptionError(`a model needs two checkpoints: give ${missing}`);
}
