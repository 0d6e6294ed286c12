/** Recognises official checkpoints by their tensors, and reads sizes off their shapes. */
import { WeightsError } from '../errors.ts';
import { matchTensors, type NamedTensors } from '../weights/join.ts';
import { quote } from '../weights/quote.ts';
import type { Ignorable, Statement } from './agreement.ts';
import { gptConfig, gptWeightShapes, UNCOND_EMBEDDING } from './gpt-config.ts';
import { type ArgsSource, TrainingArgs } from './training-args.ts';
import { VQ_16 } from './vq-config.ts';
import { vqWeightShapes } from './vq-weights.ts';

/** Official ModelArgs, as `model.json` holds them. */
export type ModelArgs = Readonly<Record<string, unknown>>;

/** The tensors of a checkpoint, and what was saved with them. */
export interface DescribedTensors extends NamedTensors {
  /** Names that may tell the pixels of an image, `c2i_B_256.pt`; the first that does. Default: its own. */
  readonly titles?: readonly string[] | undefined;
  /** Arguments of the training. Default: none. */
  readonly args?: readonly ArgsSource[] | undefined;
}

/** Tensors of conditions: a class, or a caption. */
const CONDITIONS = ['cls_embedding.embedding_table.weight', UNCOND_EMBEDDING];

/**
 * Which network a file holds.
 * @throws WeightsError when it is neither, with names that are missing and unexpected.
 */
export function recognise(file: NamedTensors): 'gpt' | 'vq' {
  const has = (name: string): boolean => file.tensors.has(name);
  if (has('tok_embeddings.weight') && CONDITIONS.some(has)) return 'gpt';
  if (has('quantize.embedding.weight') && has('decoder.conv_in.weight')) return 'vq';
  const isVq = [...file.tensors.keys()].some((name) => /^(encoder|decoder|quantize)\./.test(name));
  const [model, wanted] = isVq
    ? ['a LlamaGen tokenizer (VQ-16)', vqWeightShapes(VQ_16)]
    : ['a LlamaGen decoder (GPT-B)', gptWeightShapes(gptConfig('GPT-B', 16))];
  matchTensors(file, wanted, { model });
  throw new WeightsError(`${file.name}: neither a LlamaGen decoder nor a tokenizer`);
}

/** The arguments of a checkpoint, unless they are to be left out of account. */
export function argsOf(
  { name, args = [] }: DescribedTensors,
  ignore: readonly Ignorable[],
): TrainingArgs[] {
  return ignore.includes('args') ? [] : args.map((source) => new TrainingArgs(name, source));
}

/** Indices are not counted further: no model comes near, and a config with more is refused. */
const MAX_COUNT = 2000;

/** Reads sizes off the shapes of a file. */
export class Shapes {
  readonly #tensors: NamedTensors['tensors'];

  constructor({ tensors }: NamedTensors) {
    this.#tensors = tensors;
  }

  /** The shape of a tensor; undefined when there is none. */
  of(tensor: string): readonly number[] | undefined {
    return this.#tensors.get(tensor)?.shape;
  }

  /** A size of a tensor, or the fallback where there is none: matching reports that. */
  size(tensor: string, axis: number, fallback: number): number {
    return this.of(tensor)?.[axis] ?? fallback;
  }

  /**
   * A value that is read off a tensor, as a statement; undefined when there is no such tensor.
   * @param read Gives the value for the shape, or undefined where it tells none.
   */
  says<T>(
    tensor: string,
    read: (shape: readonly number[]) => T | undefined,
    meaning: (value: T) => string = String,
  ): Statement<T> | undefined {
    const shape = this.of(tensor);
    const value = shape && read(shape);
    if (value === undefined) return undefined;
    return { by: 'shapes', value, text: `${tensor} ${quote(shape)}, so ${meaning(value)}` };
  }

  /** One more than the largest number that the pattern finds in a name. */
  count(pattern: RegExp): number {
    let count = 0;
    for (const name of this.#tensors.keys()) {
      const index = pattern.exec(name)?.[1];
      if (index !== undefined) count = Math.max(count, Math.min(Number(index) + 1, MAX_COUNT));
    }
    return count;
  }
}
