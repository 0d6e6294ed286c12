/** The text encoder of a model folder, off the files of a T5 on the Hugging Face hub. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { OptionError, WeightsError } from '../errors.ts';
import { T5_UNREAD } from '../models/t5.ts';
import { parseT5Json } from '../models/t5-config.ts';
import { t5EncoderTensors, t5LayerShapes } from '../models/t5-tensors.ts';
import { loadTokenizer } from '../text/tokenizer.ts';
import { VERSION } from '../version.ts';
import { type CheckpointTensor, safetensorsCheckpoint } from '../weights/checkpoint.ts';
import { formatOf, type Losses } from '../weights/formats.ts';
import { matchTensors } from '../weights/join.ts';
import { parseJson } from '../weights/json-text.ts';
import { openModelWeights } from '../weights/model-weights.ts';
import { reencode } from '../weights/reencode.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type { TensorOutput } from '../weights/safetensors-writer.ts';
import { fileProblem } from './file-problem.ts';
import { openFile, openFolder } from './files.ts';

/** Files of a T5. */
export interface TextEncoderFiles {
  /** Path of its `config.json`. */
  readonly config: string;
  /** Path of its `tokenizer.json`. */
  readonly tokenizer: string;
  /** Paths of safetensors files that hold its encoder, and may hold more. */
  readonly weights: readonly string[];
}

/** What becomes part of a model folder. */
export interface TextParts {
  /** JSON files by name. */
  readonly json: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  /** Of `t5.safetensors`, in bf16. */
  readonly tensors: readonly TensorOutput[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Values of the encoder. */
  readonly parameters: number;
}

const SINGLE = 'model.safetensors';

/**
 * The files of a T5 in a folder as it is on the hub.
 * @throws OptionError that says which is missing.
 */
export async function textEncoderFolder(folder: string): Promise<TextEncoderFiles> {
  const [config, tokenizer] = ['config.json', 'tokenizer.json'].map((name) => join(folder, name));
  const missing = [config, tokenizer].find((path) => path !== undefined && !existsSync(path));
  if (missing !== undefined || !config || !tokenizer) {
    throw new OptionError(
      `${missing}: no such file: the folder of a T5 holds config.json, tokenizer.json and ${SINGLE}, or shards with ${SINGLE}.index.json`,
    );
  }
  const { tensors } = await openModelWeights(openFolder(folder), 'model');
  const names = t5EncoderTensors(tensors.keys());
  const sources = [...tensors.values()].filter(({ name }) => names.has(name));
  return { config, tokenizer, weights: [...new Set(sources.map(({ source }) => source.name))] };
}

/**
 * Opens the files, whose weights are read when they are written, and checks what can be checked before.
 * @param captionDim Features of a token that the decoder takes.
 * @throws WeightsError when a file is broken, when the encoder is not whole or is that of another decoder.
 */
export async function openTextParts(
  { config, tokenizer, weights }: TextEncoderFiles,
  captionDim: number,
  losses: Losses,
): Promise<TextParts> {
  const [t5Json, tokenizerJson] = [await readJson(config), await readJson(tokenizer)];
  const t5 = parseT5Json(decoded(t5Json), config);
  if (t5.dim !== captionDim) {
    throw new WeightsError(
      `${config}: the T5 makes ${t5.dim} features of a token ("d_model"), and the decoder takes ${captionDim}: it was trained with another one`,
    );
  }
  loadTokenizer(decoded(tokenizerJson), { where: tokenizer });

  const tensors = new Map<string, { readonly file: string; readonly tensor: CheckpointTensor }>();
  for (const file of weights) {
    const checkpoint = safetensorsCheckpoint(await openSafetensors(await openFile(file)));
    for (const [name, tensor] of checkpoint.tensors) tensors.set(name, { file, tensor });
  }
  const names = t5EncoderTensors(tensors.keys());
  if (names.size === 0) {
    throw new WeightsError(
      `${weights.join(', ')}: no encoder of a T5: no tensor is named encoder.*`,
    );
  }
  const layers = new Map([...tensors].map(([name, { tensor }]) => [name, tensor]));
  matchTensors({ name: weights.join(', '), tensors: layers }, t5LayerShapes(t5), {
    model: 'the T5 v1.1 encoder that its config describes',
    ignore: T5_UNREAD,
  });
  const wanted = [...tensors].flatMap(([name, found]) => (names.has(name) ? [found] : []));
  return {
    json: new Map([
      ['t5.json', t5Json],
      ['tokenizer.json', tokenizerJson],
    ]),
    tensors: wanted.flatMap(({ file, tensor }) => reencode(file, tensor, formatOf('bf16'), losses)),
    metadata: {
      format: 'pt',
      source: weights.map((path) => basename(path)).join(' '),
      dtype: 'bf16',
      converter: `llamagen-webgpu ${VERSION}`,
    },
    parameters: wanted.reduce((sum, { tensor }) => sum + tensor.length, 0),
  };
}

const decoded = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The bytes of a JSON file as they are. */
async function readJson(path: string): Promise<Uint8Array<ArrayBuffer>> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(await readFile(path));
  } catch (cause) {
    throw new WeightsError(`${path}: cannot be read: ${fileProblem(cause)}`, { cause });
  }
  try {
    parseJson(decoded(bytes));
  } catch (error) {
    throw new WeightsError(`${path}: not JSON: ${error instanceof Error ? error.message : error}`);
  }
  return bytes;
}
