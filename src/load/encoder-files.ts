/** The text encoder of a model folder: its config, the header of its weights, rows of its table. */
import { WeightsError } from '../errors.ts';
import { abortable } from '../gpu/abortable.ts';
import { T5_TABLES, T5_UNREAD } from '../models/t5.ts';
import { parseT5Json, type T5Config } from '../models/t5-config.ts';
import { assertFinite, decodeF32, isWeightDType } from '../weights/convert.ts';
import { shortDigest } from '../weights/digest.ts';
import { openModelWeights } from '../weights/model-weights.ts';
import { quote } from '../weights/quote.ts';
import type { Safetensors, TensorEntry } from '../weights/safetensors.ts';
import { type ByteSource, type ModelFiles, readExactly } from '../weights/source.ts';

export interface EncoderFiles {
  readonly config: T5Config;
  readonly file: Safetensors;
  /** The embedding table, [vocabSize, dim], which is read by rows. */
  readonly table: TensorEntry;
}

const CONFIGS = ['t5.json', 't5/config.json'];
/** Files that tell where weights are: one file or shards, as converted or as the model hub has them. */
const WEIGHTS = ['t5', 't5/model'].flatMap((part) => [
  `${part}.safetensors`,
  `${part}.safetensors.index.json`,
]);
/** What T5 1.0 has in the place of the two matrices of v1.1. */
const UNGATED = /^encoder\.block\.\d+\.layer\.1\.DenseReluDense\.wi\.weight$/;
/** Reads that are under way at once. */
const AT_ONCE = 16;
/** Bytes of each tensor that tell a model. */
const SAMPLE_BYTES = 64;

/**
 * Opens the text encoder of a model folder: `t5.json` and `t5.safetensors`, or `config.json` and
 * `model.safetensors` in a folder `t5`; either may be in shards.
 * @throws WeightsError when something is missing, broken or of another kind of model.
 */
export async function openEncoder(files: ModelFiles): Promise<EncoderFiles> {
  const { source } = await firstOf(files, CONFIGS);
  const bytes = await readExactly(source, 0, source.byteLength);
  const config = parseT5Json(new TextDecoder().decode(bytes), source.name);
  const { name } = await firstOf(files, WEIGHTS);
  const file = await openWeights(files, name);
  checkLayers(file);
  return { config, file, table: tableOf(file, config) };
}

/** The first of some files that a folder has. */
async function firstOf(
  files: ModelFiles,
  names: readonly string[],
): Promise<{ readonly name: string; readonly source: ByteSource }> {
  const problems: WeightsError[] = [];
  for (const name of names) {
    try {
      return { name, source: await files.open(name) };
    } catch (error) {
      if (!(error instanceof WeightsError)) throw error;
      problems.push(error);
    }
  }
  throw new WeightsError(
    `${files.name}: has no text encoder: there is none of ${names.join(', ')}; without it a model takes features that were made before`,
    { cause: problems[0] },
  );
}

function openWeights(files: ModelFiles, name: string): Promise<Safetensors> {
  const [, folder = '', part = ''] = /^(.*\/)?(\w+)\./.exec(name) ?? [];
  const open = (file: string): Promise<ByteSource> => files.open(`${folder}${file}`);
  return openModelWeights({ name: `${files.name}/${folder}`, open }, part);
}

/** @throws WeightsError that says of which kind a file is whose layers are not those of T5 v1.1. */
function checkLayers({ name, tensors }: Safetensors): void {
  const names = [...tensors.keys()];
  if (names.some((tensor) => UNGATED.test(tensor))) {
    throw new WeightsError(
      `${name}: is a T5 1.0, without gates in its feed-forward: only T5 v1.1 and FLAN-T5 are supported`,
    );
  }
  if (names.some((tensor) => tensor.startsWith('encoder.block.'))) return;
  const isDecoder = names.some((tensor) => tensor.startsWith('decoder.'));
  throw new WeightsError(
    `${name}: has no layers of a T5 encoder (encoder.block.0...)${isDecoder ? ', but those of a decoder' : ''}`,
  );
}

function tableOf(file: Safetensors, { vocabSize, dim }: T5Config): TensorEntry {
  const name = T5_TABLES.find((table) => file.tensors.has(table));
  const entry = name && file.tensors.get(name);
  if (!entry) {
    throw new WeightsError(`${file.name}: has no embedding table: none of ${T5_TABLES.join(', ')}`);
  }
  const where = `${file.name}: tensor ${quote(entry.name)}`;
  if (!isWeightDType(entry.dtype)) {
    throw new WeightsError(`${where} expected F32, F16 or BF16 values, got ${entry.dtype}`);
  }
  // Tables are padded to multiples of a device's liking: ids below vocab_size are what counts.
  const [rows = 0, width] = entry.shape;
  if (entry.shape.length !== 2 || rows < vocabSize || width !== dim) {
    throw new WeightsError(
      `${where} expected shape [${vocabSize}, ${dim}] (vocab_size, d_model), got [${entry.shape}]`,
    );
  }
  return entry;
}

/**
 * Rows of the table, f32 [ids, dim], read one by one: each once, however often its id is there.
 * @param ids Below vocabSize.
 * @throws WeightsError when a value is not finite; the signal's reason when aborted.
 */
export async function readRows(
  { config, file, table }: EncoderFiles,
  ids: readonly number[],
  signal?: AbortSignal,
): Promise<Float32Array<ArrayBuffer>> {
  const { dim } = config;
  const { source, dtype, offset, name } = table;
  if (!isWeightDType(dtype)) throw new RangeError(`${name} is ${dtype}`);
  const rowBytes = table.byteLength / (table.shape[0] ?? 1);
  const places = new Map<number, number[]>();
  for (const [place, id] of ids.entries()) {
    const known = places.get(id);
    if (known) known.push(place);
    else places.set(id, [place]);
  }
  const out = new Float32Array(ids.length * dim);
  await inParallel([...places], signal, async ([id, all]) => {
    const bytes = await readExactly(source, offset + id * rowBytes, rowBytes);
    assertFinite({ file: file.name, tensor: name }, dtype, bytes, id * dim);
    const row = decodeF32(dtype, bytes);
    for (const place of all) out.set(row, place * dim);
  });
  return out;
}

/**
 * Tells encoders apart without reading all of them, which a stream of layers does only later: by config,
 * names, dtypes and shapes, and the bytes in the middle of every tensor. Against accidents, as
 * `WeightsDigest`.
 */
export async function sampleDigest(
  { config, file, table }: EncoderFiles,
  signal?: AbortSignal,
): Promise<string> {
  const isRead = (tensor: string): boolean => !T5_UNREAD.some((pattern) => pattern.test(tensor));
  const tensors = [...file.tensors.values()].filter(({ name }) => isRead(name));
  const lines: string[] = [];
  await inParallel([table, ...tensors], signal, async (entry) => {
    const { source, dtype, shape, offset, byteLength } = entry;
    const length = Math.min(SAMPLE_BYTES, byteLength);
    const bytes = await readExactly(source, offset + Math.floor((byteLength - length) / 2), length);
    const name = entry === table ? 'table' : entry.name;
    lines.push(`${name} ${dtype} [${shape}] ${bytes.join(' ')}`);
  });
  return shortDigest([JSON.stringify(config), ...lines.sort()].join('\n'));
}

/** Some at once, each as soon as one before it is through. */
async function inParallel<T>(
  items: readonly T[],
  signal: AbortSignal | undefined,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const workers = Array.from({ length: Math.min(AT_ONCE, items.length) }, async () => {
    // One iterator for all of them.
    for (const item of waiting) {
      signal?.throwIfAborted();
      await work(item);
    }
  });
  await abortable(Promise.all(workers), signal);
}
