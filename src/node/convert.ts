/** Converts official checkpoints to a model folder. */
import { basename, resolve } from 'node:path';
import { openPair } from '../convert/pair.ts';
import {
  assertHonest,
  type ModelOptions,
  metadataOf,
  type PlannedFile,
  planModel,
} from '../convert/plan.ts';
import { OptionError } from '../errors.ts';
import type { GptConfig, ModelType } from '../models/gpt-config.ts';
import { formatOf, type Losses, type TargetDType } from '../weights/formats.ts';
import { reencode } from '../weights/reencode.ts';
import { type TensorOutput, tensorBytes, writeSafetensors } from '../weights/safetensors-writer.ts';
import { type CheckpointOnDisk, openCheckpointPath } from './checkpoint-path.ts';
import { openTextParts, type TextEncoderFiles, type TextParts } from './convert-text.ts';
import { hashCheckpoints } from './hash-checkpoints.ts';
import { assertFolderFree, stageFolder } from './staging.ts';

/** What a conversion is doing: reading the files for their SHA-256, or writing the model. */
export type ConvertPhase = 'hash' | 'convert';

export interface ConvertOptions extends Omit<ModelOptions, 'name'> {
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
  /** Default: the name of the folder. */
  readonly name?: string | undefined;
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
  const paths = [options.gpt, options.vq].filter((path) => path !== undefined);
  const pair = await openPair(paths, (path) => openCheckpointPath(path, options.ignore));
  const name = options.name ?? basename(resolve(out));
  const plan = planModel<CheckpointOnDisk>(pair, { ...options, name });
  const { config, json, parameters, notes } = plan;

  const losses: Losses = { flushed: 0, overflowed: 0 };
  const gptTensors = outputs(plan.gpt, losses);
  const vqTensors = outputs(plan.vq, losses);
  const text = await textParts(options, config, losses);
  const total =
    outputBytes(pair.gpt, gptTensors) + outputBytes(pair.vq, vqTensors) + textBytes(text);

  const hashes = await hashCheckpoints([pair.gpt, pair.vq], {
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
    const described = (file: PlannedFile) => metadataOf(file, hashes.get(file.source.path));
    await write('gpt.safetensors', gptTensors, described(plan.gpt));
    await write('vq.safetensors', vqTensors, described(plan.vq));
    if (text) await write('t5.safetensors', text.tensors, text.metadata);
    for (const [name, file] of text?.json ?? [])
      await folder.write(name, (sink) => sink.write(file));
    await folder.write('model.json', (sink) => sink.write(json));
    signal?.throwIfAborted();
    folder.commit();
    return {
      folder: out,
      modelType: config.modelType,
      parameters: { ...parameters, ...(text && { t5: text.parameters }) },
      bytes: bytes + json.length + jsonBytes(text),
      flushed: losses.flushed,
      dtype: plan.gpt.dtype,
      notes,
    };
  } catch (error) {
    folder.discard();
    throw error;
  }
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

/** The tensors of a file in their new element type. */
const outputs = ({ source, tensors, dtype }: PlannedFile, losses: Losses): TensorOutput[] =>
  tensors.flatMap((tensor) => reencode(source.path, tensor, formatOf(dtype), losses));

/** @throws WeightsError when the tensors are far more than the file can hold. */
function outputBytes(source: CheckpointOnDisk, tensors: readonly TensorOutput[]): number {
  const bytes = tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
  assertHonest(source, bytes);
  return bytes;
}
