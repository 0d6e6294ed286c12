/** What becomes of two checkpoints: sizes, element types, the tensors of the model. */
import { WeightsError } from '../errors.ts';
import type { Ignorable } from '../models/agreement.ts';
import {
  type GptConfig,
  gptParameterCount,
  gptWeightShapes,
  uncondTokensOf,
} from '../models/gpt-config.ts';
import { inferGpt } from '../models/infer-gpt.ts';
import { inferVq } from '../models/infer-vq.ts';
import { downsampleOf, type VqConfig, vqParameterCount } from '../models/vq-config.ts';
import { vqWeightShapes } from '../models/vq-weights.ts';
import { VERSION } from '../version.ts';
import type { Checkpoint, CheckpointTensor } from '../weights/checkpoint.ts';
import type { TargetDType } from '../weights/formats.ts';
import { QUANTIZATION_KEY } from '../weights/quantize.ts';
import { describeTaken } from '../weights/taken.ts';
import { modelJson } from './model-json.ts';
import { type CheckpointPair, type NamedCheckpoint, titleOf } from './pair.ts';

/** What files do not tell, or tell wrongly. */
export interface ModelOptions {
  readonly name: string;
  readonly description?: string | undefined;
  /**
   * Element type of the decoder. Default: f16 for a decoder stored so, else bf16, the official
   * precision. The tokenizer is f32 always, as in the official code.
   */
  readonly dtype?: TargetDType | undefined;
  /** One unique name per class. Default: those of ImageNet for 1,000 classes, else "class 0" and so on. */
  readonly classNames?: readonly string[] | undefined;
  /**
   * Rows of the token grid. Default: what the arguments of the training, the RoPE table and the pixels in
   * the file name (c2i_B_256.pt) say.
   */
  readonly grid?: number | undefined;
  /** Attention heads of a decoder of no official size, where its arguments do not tell them. */
  readonly heads?: number | undefined;
  /** What is wrong about the files and is to be left out of account. Default: nothing. */
  readonly ignore?: readonly Ignorable[] | undefined;
  /** Licence of the weights. */
  readonly license?: string | undefined;
  /** How the weights came about. */
  readonly trained?: string | undefined;
}

/** One file of the model. */
export interface PlannedFile<T extends NamedCheckpoint = NamedCheckpoint> {
  readonly source: T;
  readonly dtype: TargetDType;
  /** The tensors a model needs, in its own order; buffers of the checkpoint are left out. */
  readonly tensors: readonly CheckpointTensor[];
}

export interface ModelPlan<T extends NamedCheckpoint = NamedCheckpoint> {
  readonly config: GptConfig;
  readonly vqConfig: VqConfig;
  /** Content of `model.json`. */
  readonly json: Uint8Array<ArrayBuffer>;
  readonly gpt: PlannedFile<T>;
  readonly vq: PlannedFile<T>;
  readonly parameters: { readonly gpt: number; readonly vq: number };
  /** Which state dicts are taken, where a file has several or one in an unusual place. */
  readonly notes: readonly string[];
}

/**
 * Reads the sizes of both networks off their tensors, arguments and names.
 * @throws WeightsError when they contradict each other, or a tensor is missing; OptionError when a size
 * must be given.
 */
export function planModel<T extends NamedCheckpoint>(
  { gpt, vq }: CheckpointPair<T>,
  options: ModelOptions,
): ModelPlan<T> {
  const { args: vqArgs, config: vqConfig } = inferVq(shownAs(vq), options.ignore);
  const downsample = downsampleOf(vqConfig);
  const { args: gptArgs, config } = inferGpt(shownAs(gpt), { ...options, downsample });
  const dtype = options.dtype ?? defaultDtype(gpt.checkpoint);
  const shapes = gptWeightShapes(config, uncondTokensOf(gpt.checkpoint, config));
  return {
    config,
    vqConfig,
    json: modelJson({ options, gptArgs, config, vqArgs, vqConfig, gpt, vq }),
    gpt: { source: gpt, dtype, tensors: wanted(gpt, shapes) },
    vq: { source: vq, dtype: 'f32', tensors: wanted(vq, vqWeightShapes(vqConfig)) },
    parameters: { gpt: gptParameterCount(config), vq: vqParameterCount(vqConfig) },
    notes: [gpt, vq].flatMap((source) => describeTaken(titleOf(source), source.checkpoint) ?? []),
  };
}

/** What a file says of its source. */
export function metadataOf(
  { source, dtype }: PlannedFile,
  sha256?: string | undefined,
): Readonly<Record<string, string>> {
  return {
    format: 'pt',
    source: titleOf(source),
    source_sha256: sha256 ?? '',
    dtype,
    ...((dtype === 'int8' || dtype === 'int4') && { [QUANTIZATION_KEY]: dtype }),
    converter: `llamagen-webgpu ${VERSION}`,
  };
}

/** A view may repeat elements; more output than this times the input is no honest checkpoint. */
const MOST_GROWTH = 4;

/** @throws WeightsError when tensors would fill far more bytes than their file has. */
export function assertHonest({ path, checkpoint }: NamedCheckpoint, bytes: number): void {
  if (bytes <= MOST_GROWTH * checkpoint.byteLength) return;
  throw new WeightsError(
    `${path}: its tensors would fill ${bytes} bytes, but the file has ${checkpoint.byteLength}: they repeat a few values`,
  );
}

/** What is known of a checkpoint, with the path as it was given for messages. */
const shownAs = ({ path, titles, args, checkpoint: { tensors } }: NamedCheckpoint) => ({
  name: path,
  titles,
  args,
  tensors,
});

function defaultDtype({ tensors }: Checkpoint): TargetDType {
  return tensors.get('output.weight')?.dtype === 'F16' ? 'f16' : 'bf16';
}

function wanted(
  { checkpoint }: NamedCheckpoint,
  shapes: readonly { readonly name: string }[],
): CheckpointTensor[] {
  return shapes.flatMap(({ name }) => checkpoint.tensors.get(name) ?? []);
}
