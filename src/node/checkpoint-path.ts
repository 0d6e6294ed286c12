/** Checkpoints by the paths people give: a file, an index of shards, or a folder with one of them. */
import { existsSync, readdirSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { NamedCheckpoint } from '../convert/pair.ts';
import { OptionError, WeightsError } from '../errors.ts';
import type { Ignorable } from '../models/agreement.ts';
import { parseConfigJson } from '../models/config-json.ts';
import type { ArgsSource } from '../models/training-args.ts';
import { openCheckpoint, safetensorsCheckpoint } from '../weights/checkpoint.ts';
import { openShards } from '../weights/sharded.ts';
import { type ByteSource, readExactly } from '../weights/source.ts';
import { fileProblem } from './file-problem.ts';
import { openFile } from './files.ts';

/** A checkpoint on the disk. */
export interface CheckpointOnDisk extends NamedCheckpoint {
  /** The file that was opened: in the folder, if that was given. */
  readonly file: string;
  /** Every file with data, in the order of their names. */
  readonly parts: readonly ByteSource[];
}

const INDEX = /\.index\.json$/i;
/** What a folder may hold, the first kind that is there counts. */
const KINDS: readonly RegExp[] = [
  /\.safetensors\.index\.json$/i,
  INDEX,
  /\.safetensors$/i,
  /\.(pt|pth|ckpt|bin)$/i,
];
/** Names that one of several shards has: `model-00001-of-00002.safetensors`. */
const SHARD = /^(.*)[-_.]\d+[-_]of[-_](\d+)(\.[^.]+)$/i;
/** Most names in a message. */
const MAX_NAMES = 5;
/** Longest `config.json` that is read; official ones have a few hundred bytes. */
const MAX_CONFIG_BYTES = 2 ** 20;

/**
 * Opens the checkpoint that a path names.
 * @param path A `.pt` or safetensors file, the index of safetensors shards, or a folder with one
 * checkpoint, of which an index comes first.
 * @param ignore Without `args`, a `config.json` is not opened.
 * @throws OptionError when the path names no checkpoint, several, or one shard of several; WeightsError
 * when a file is broken.
 */
export async function openCheckpointPath(
  path: string,
  ignore: readonly Ignorable[] = [],
): Promise<CheckpointOnDisk> {
  const isFolder = kindOf(path)?.isDirectory() ?? false;
  const file = isFolder ? join(path, onlyOne(path)) : path;
  assertWhole(file);
  const parts = new Map<string, ByteSource>();
  const open = async (name: string): Promise<ByteSource> => {
    const source = await openFile(name);
    parts.set(name, source);
    return source;
  };
  const isIndex = INDEX.test(file);
  const checkpoint = isIndex
    ? safetensorsCheckpoint(
        await openShards(await openFile(file), (shard) => open(join(dirname(file), shard))),
      )
    : await openCheckpoint(await open(file));
  const own = { where: 'args', values: checkpoint.args };
  const beside = ignore.includes('args') ? undefined : await readConfig(dirname(file));
  return {
    path,
    file,
    titles: [file, ...(isFolder || isIndex ? [dirname(resolve(file))] : [])].map((at) =>
      basename(at),
    ),
    checkpoint,
    parts: [...parts.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, source]) => source),
    args: [own, beside].filter((source) => source !== undefined),
  };
}

/** What lies at a path; undefined where nothing can be seen, which whoever opens it complains of. */
function kindOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (cause) {
    throw new WeightsError(`${folder}: cannot be read: ${fileProblem(cause)}`, { cause });
  }
}

/** The name of the checkpoint in a folder. */
function onlyOne(folder: string): string {
  const names = namesIn(folder);
  const kinds = KINDS.map((kind) => names.filter((name) => kind.test(name)));
  const [first, ...more] = kinds.find((found) => found.length > 0) ?? [];
  if (first === undefined) {
    throw new OptionError(
      `${folder}: a folder without a checkpoint: expected an index like model.safetensors.index.json, ` +
        'a .safetensors file or a .pt file in it',
    );
  }
  // Shards are complained of as such.
  if (more.length === 0 || SHARD.test(first)) return first;
  const shown = [first, ...more].slice(0, MAX_NAMES).join(', ');
  const others = more.length >= MAX_NAMES ? ', ...' : '';
  throw new OptionError(
    `${folder}: has ${more.length + 1} checkpoints: give one of them (${shown}${others})`,
  );
}

/** @throws OptionError for a shard, which is a part of a checkpoint only. */
function assertWhole(file: string): void {
  const [, stem = '', digits = '1', ending = ''] = SHARD.exec(basename(file)) ?? [];
  const count = Number(digits);
  if (count <= 1) return;
  const index = join(dirname(file), `${stem}${ending}.index.json`);
  throw new OptionError(
    `${file}: is one of ${count} shards: give their index${
      existsSync(index) ? `, ${index}` : ` (${basename(index)}), which belongs beside them`
    }`,
  );
}

async function readConfig(folder: string): Promise<ArgsSource | undefined> {
  const path = join(folder, 'config.json');
  if (!kindOf(path)?.isFile()) return undefined;
  const source = await openFile(path);
  if (source.byteLength > MAX_CONFIG_BYTES) {
    throw new WeightsError(
      `${path}: has ${source.byteLength} bytes, at most ${MAX_CONFIG_BYTES} are read (--ignore args leaves it out)`,
    );
  }
  const bytes = await readExactly(source, 0, source.byteLength);
  return parseConfigJson(new TextDecoder().decode(bytes), path);
}
