/** Converts official checkpoints to a model folder. */
import { basename } from 'node:path';
import { OptionError, WeightsError } from '../errors.ts';
import type { Ignorable } from '../models/agreement.ts';
import { recognise } from '../models/checkpoint-config.ts';
import {
  type GptConfig,
  gptParameterCount,
  gptWeightShapes,
  type ModelType,
  uncondTokensOf,
} from '../models/gpt-config.ts';
import { inferGpt } from '../models/infer-gpt.ts';
import { inferVq } from '../models/infer-vq.ts';
import { downsampleOf, vqParameterCount } from '../models/vq-config.ts';
import { vqWeightShapes } from '../models/vq-weights.ts';
import { VERSION } from '../version.ts';
import type { Checkpoint } from '../weights/checkpoint.ts';
import { formatOf, type Losses, type TargetDType } from '../weights/formats.ts';
import { QUANTIZATION_KEY } from '../weights/quantize.ts';
import { reencode } from '../weights/reencode.ts';
import { type TensorOutput, tensorBytes, writeSafetensors } from '../weights/safetensors-writer.ts';
import { describeTaken } from '../weights/taken.ts';
import { type CheckpointOnDisk, openCheckpointPath } from './checkpoint-path.ts';
import { modelJson } from './convert-json.ts';
import { openTextParts, type TextEncoderFiles, type TextParts } from './convert-text.ts';
import { hashCheckpoints } from './hash-checkpoints.ts';
import { assertFolderFree, stageFolder } from './staging.ts';

/** What a conversion is doing: reading the files for their SHA-256, or writing the model. */
export type ConvertPhase = 'hash' | 'convert';

export interface ConvertOptions {
  /**
   * Path of the decoder: `.pt`, safetensors, the index of safetensors shards, or a folder with one of
   * them. Decoder and tokenizer may be swapped.
   */
  readonly gpt?: string | undefined;
  /** Path of the tokenizer. */
  readonly vq?: string | undefined;
  /** Files of the T5 that reads prompts for a text-conditional decoder. Default: none, only features. */
  readonly text?: TextEncoderFiles | undefined;
  /** Folder to make; it must not exist or be empty. */
  readonly out: string;
  /**
   * Element type of the decoder. Default: f16 for a decoder stored so, else bf16, the official
   * precision. The tokenizer is f32 always, as in the official code.
   */
  readonly dtype?: TargetDType | undefined;
  /** Default: the name of the folder. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
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
  /** SHA-256 in hexadecimal by path, of files whose bytes the caller has checked already. */
  readonly hashes?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?:
    | ((phase: ConvertPhase, doneBytes: number, totalBytes: number) => void)
    | undefined;
}

export interface Converted {
  readonly folder: string;
  readonly modelType: ModelType;
  readonly parameters: { readonly gpt: number; readonly vq: number; readonly t5?: number };
  /** Bytes written. */
  readonly bytes: number;
  /** Weights that were not zero and became zero. */
  readonly flushed: number;
  readonly dtype: TargetDType;
  /** Which state dicts were taken, where a file has several or one in an unusual place. */
  readonly notes: readonly string[];
}

type Source = CheckpointOnDisk;

/** A view may repeat elements; more output than this times the input is no honest checkpoint. */
const MOST_GROWTH = 4;

/**
 * Converts a decoder and a tokenizer to a model folder of `model.json`, `gpt.safetensors` and
 * `vq.safetensors`. Files are read by ranges; the folder appears when all of it is on the disk.
 * @throws WeightsError when a file is broken, of another architecture, or has values the dtype cannot
 * hold; OptionError when a file or a size must be given, or `out` cannot be written. Nothing is left
 * behind.
 */
export async function convertCheckpoint(options: ConvertOptions): Promise<Converted> {
  const { out, signal } = options;
  assertFolderFree(out);
  const { gpt, vq } = await openBoth(options);
  const { args: vqArgs, config: vqConfig } = inferVq(shownAs(vq), options.ignore);
  const downsample = downsampleOf(vqConfig);
  const inferred = inferGpt(shownAs(gpt), { ...options, downsample });
  const dtype = options.dtype ?? defaultDtype(gpt.checkpoint);
  const description = { options, gptArgs: inferred.args, config: inferred.config };
  const json = modelJson({ ...description, vqArgs, vqConfig, gpt, vq });

  const losses: Losses = { flushed: 0, overflowed: 0 };
  const shapes = gptWeightShapes(inferred.config, uncondTokensOf(gpt.checkpoint, inferred.config));
  const gptTensors = outputs(gpt, shapes, dtype, losses);
  const vqTensors = outputs(vq, vqWeightShapes(vqConfig), 'f32', losses);
  const text = await textParts(options, inferred.config, losses);
  const total = outputBytes(gpt, gptTensors) + outputBytes(vq, vqTensors) + textBytes(text);

  const hashes = await hashCheckpoints([gpt, vq], {
    known: options.hashes,
    signal,
    onProgress: (done, all) => options.onProgress?.('hash', done, all),
  });
  const folder = await stageFolder(out, total);
  try {
    let bytes = 0;
    const write = (
      name: string,
      tensors: readonly TensorOutput[],
      metadata: Readonly<Record<string, string>>,
    ) =>
      folder.write(name, async (sink) => {
        const before = bytes;
        bytes += await writeSafetensors(sink, tensors, metadata, {
          signal,
          onProgress: (done) =>
            options.onProgress?.('convert', Math.min(before + done, total), total),
        });
      });
    await write('gpt.safetensors', gptTensors, metadataOf(gpt, hashes, dtype));
    await write('vq.safetensors', vqTensors, metadataOf(vq, hashes, 'f32'));
    if (text) await write('t5.safetensors', text.tensors, text.metadata);
    for (const [name, file] of text?.json ?? [])
      await folder.write(name, (sink) => sink.write(file));
    await folder.write('model.json', (sink) => sink.write(json));
    signal?.throwIfAborted();
    folder.commit();
    return {
      folder: out,
      modelType: inferred.config.modelType,
      parameters: {
        gpt: gptParameterCount(inferred.config),
        vq: vqParameterCount(vqConfig),
        ...(text && { t5: text.parameters }),
      },
      bytes: bytes + json.length + jsonBytes(text),
      flushed: losses.flushed,
      dtype,
      notes: [gpt, vq].flatMap(({ path, checkpoint }) => {
        return describeTaken(basename(path), checkpoint) ?? [];
      }),
    };
  } catch (error) {
    folder.discard();
    throw error;
  }
}

/** What a file says of its source. */
function metadataOf(
  { path, file }: Source,
  hashes: ReadonlyMap<string, string>,
  as: TargetDType,
): Readonly<Record<string, string>> {
  return {
    format: 'pt',
    source: basename(file),
    source_sha256: hashes.get(path) ?? '',
    dtype: as,
    ...((as === 'int8' || as === 'int4') && { [QUANTIZATION_KEY]: as }),
    converter: `llamagen-webgpu ${VERSION}`,
  };
}

/** @throws OptionError when a T5 is given for a decoder that reads no text. */
async function textParts(
  { text }: ConvertOptions,
  { modelType, captionDim }: GptConfig,
  losses: Losses,
): Promise<TextParts | undefined> {
  if (text && modelType !== 't2i') {
    throw new OptionError('"text": a class-conditional decoder reads no text: leave the T5 out');
  }
  return text && openTextParts(text, captionDim, losses);
}

const textBytes = (text: TextParts | undefined): number =>
  text?.tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0) ?? 0;

const jsonBytes = (text: TextParts | undefined): number =>
  [...(text?.json.values() ?? [])].reduce((sum, { length }) => sum + length, 0);

/** Opens both files and sees which is which. */
async function openBoth(options: ConvertOptions): Promise<{ gpt: Source; vq: Source }> {
  const { gpt, vq, ignore } = options;
  const paths = [gpt, vq].filter((path) => path !== undefined);
  const found: { gpt?: Source; vq?: Source } = {};
  for (const path of paths) {
    const source = await openCheckpointPath(path, ignore);
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

/** What is known of a checkpoint, with the path as it was given for messages. */
const shownAs = ({ path, titles, args, checkpoint: { tensors } }: Source) => ({
  name: path,
  titles,
  args,
  tensors,
});

function defaultDtype({ tensors }: Checkpoint): TargetDType {
  return tensors.get('output.weight')?.dtype === 'F16' ? 'f16' : 'bf16';
}

/** The tensors a model needs, in its own order; buffers of the file are left out. */
function outputs(
  { path, checkpoint }: Source,
  wanted: readonly { readonly name: string }[],
  dtype: TargetDType,
  losses: Losses,
): TensorOutput[] {
  return wanted.flatMap(({ name }) => {
    const tensor = checkpoint.tensors.get(name);
    return tensor ? reencode(path, tensor, formatOf(dtype), losses) : [];
  });
}

/** @throws WeightsError when the tensors are far more than the file can hold. */
function outputBytes({ path, checkpoint }: Source, tensors: readonly TensorOutput[]): number {
  const bytes = tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
  const { byteLength } = checkpoint;
  if (bytes > MOST_GROWTH * byteLength) {
    throw new WeightsError(
      `${path}: its tensors would fill ${bytes} bytes, but the file has ${byteLength}: they repeat a few values`,
    );
  }
  return bytes;
}
