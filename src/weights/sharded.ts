/** Weights in several safetensors files, with an index that says which tensor is where. */
import { WeightsError } from '../errors.ts';
import { scanJson } from './json-scan.ts';
import { parseJson } from './json-text.ts';
import { brief, quote } from './quote.ts';
import { openSafetensors, type Safetensors, type TensorEntry } from './safetensors.ts';
import { type ByteSource, readExactly } from './source.ts';

/** Longest index that is read; the official models need a thousandth of it. */
const MAX_INDEX_BYTES = 100_000_000;
/** File systems have no longer names. */
const FILE_NAME = /^[^/\\]{1,255}(?<=\.safetensors)$/;
/** Names shown in one message. */
const MAX_NAMES = 10;

/**
 * Opens an index (`model.safetensors.index.json`) and every shard it names, as one collection.
 * @param open Opens a file beside the index.
 * @throws WeightsError when a shard is missing or broken, when index and shards do not agree on where
 * a tensor is, or when two shards hold the same one.
 */
export async function openShards(
  index: ByteSource,
  open: (file: string) => Promise<ByteSource>,
): Promise<Safetensors> {
  const fileOf = await readShardIndex(index);
  const tensors = new Map<string, TensorEntry>();
  const metadata = new Map<string, string>();
  for (const file of new Set(fileOf.values())) {
    const shard = await openShard(index.name, file, open);
    for (const entry of shard.tensors.values()) {
      const there = tensors.get(entry.name);
      if (there) {
        throw new WeightsError(
          `${index.name}: tensor ${quote(entry.name)} is in two shards, ${there.source.name} and ${shard.name}`,
        );
      }
      tensors.set(entry.name, entry);
    }
    const wrong = [...shard.tensors.keys()].filter((name) => fileOf.get(name) !== file);
    if (wrong.length > 0) {
      throw new WeightsError(
        `${index.name}: shard ${file} has tensors that the index does not place there: ${list(wrong.map(brief))}`,
      );
    }
    for (const [key, value] of shard.metadata) if (!metadata.has(key)) metadata.set(key, value);
  }
  const missing = [...fileOf].filter(([name]) => !tensors.has(name));
  if (missing.length > 0) {
    const where = missing.map(([name, file]) => `${brief(name)} (${file})`);
    throw new WeightsError(`${index.name}: the shards lack tensors that it lists: ${list(where)}`);
  }
  return { name: index.name, tensors, metadata };
}

async function openShard(
  index: string,
  file: string,
  open: (file: string) => Promise<ByteSource>,
): Promise<Safetensors> {
  let source: ByteSource;
  try {
    source = await open(file);
  } catch (cause) {
    if (!(cause instanceof WeightsError)) throw cause;
    throw new WeightsError(`${index}: shard ${file} cannot be opened: ${cause.message}`, {
      cause,
    });
  }
  return openSafetensors(source);
}

/**
 * The shard of every tensor, by an index.
 * @throws WeightsError when it is none.
 */
export async function readShardIndex(index: ByteSource): Promise<ReadonlyMap<string, string>> {
  const fail = (message: string): never => {
    throw new WeightsError(`${index.name}: ${message}`);
  };
  if (index.byteLength > MAX_INDEX_BYTES) {
    fail(`has ${index.byteLength} bytes, at most ${MAX_INDEX_BYTES} are read: not an index`);
  }
  const text = new TextDecoder().decode(await readExactly(index, 0, index.byteLength));
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (error) {
    fail(`not JSON: ${error instanceof Error ? error.message : error}`);
  }
  const { twice } = scanJson(text);
  if (twice !== undefined) fail(`has the key ${quote(twice)} twice`);
  const map = isObject(json) ? json.weight_map : undefined;
  if (!isObject(map)) return fail('"weight_map" expected an object of file names by tensor');
  const files = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    // Only files beside the index: a path could lead anywhere.
    if (typeof file !== 'string' || !FILE_NAME.test(file)) {
      fail(
        `"weight_map": ${quote(name)} expected the name of a .safetensors file, got ${quote(file)}`,
      );
    } else files.set(name, file);
  }
  if (files.size === 0) fail('"weight_map" names no tensor');
  return files;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const list = (names: readonly string[]): string =>
  names.length > MAX_NAMES
    ? `${names.slice(0, MAX_NAMES).join(', ')} and ${names.length - MAX_NAMES} more`
    : names.join(', ');
