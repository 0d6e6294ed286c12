/** Official checkpoints that somebody gave, as a model folder that is made while it is read. */
import { findCheckpoint } from '../catalogue/checkpoints.ts';
import { WeightsError } from '../errors.ts';
import { parseConfigJson } from '../models/config-json.ts';
import type { ArgsSource } from '../models/training-args.ts';
import { type Checkpoint, openCheckpoint, safetensorsCheckpoint } from '../weights/checkpoint.ts';
import type { FloatDType } from '../weights/formats.ts';
import { openShards, readShardIndex } from '../weights/sharded.ts';
import { type ByteSource, memorySource, readExactly } from '../weights/source.ts';
import { encodedFile } from './encoded-file.ts';
import { baseOf, type GivenFiles, type GivenModel, parentOf } from './given.ts';
import { type NamedCheckpoint, openPair, titleOf } from './pair.ts';
import { type PlannedFile, planModel } from './plan.ts';

const INDEX = /\.index\.json$/i;
const CHECKPOINT = /\.(safetensors|pt|pth|ckpt|bin)$/i;
/** Longest `config.json` that is read; official ones have a few hundred bytes. */
const MAX_CONFIG_BYTES = 2 ** 20;

/**
 * Opens a decoder and a tokenizer, which are converted as they are read.
 * @throws OptionError, WeightsError as `openGiven`.
 */
export async function openCheckpoints(files: GivenFiles): Promise<GivenModel> {
  const paths = await checkpointPaths(files);
  const pair = await openPair(paths, (path) => openNamed(files, path));
  const name = nameOf(pair.gpt);
  const plan = planModel(pair, { name });
  const made: Readonly<Record<string, () => ByteSource>> = {
    'model.json': () => memorySource(`${name}/model.json`, plan.json),
    'gpt.safetensors': () => encodedFile(pair.gpt.path, plan.gpt, floatOf(plan.gpt)),
    'vq.safetensors': () => encodedFile(pair.vq.path, plan.vq, 'f32'),
  };
  return {
    name,
    notes: plan.notes,
    async open(file) {
      const make = Object.hasOwn(made, file) ? made[file] : undefined;
      if (make) return make();
      throw new WeightsError(
        `${name}: has no ${file}: it is made of ${titleOf(pair.gpt)} and ${titleOf(pair.vq)}`,
      );
    },
  };
}

/** The element type of a planned decoder, which nobody asked to be of whole numbers. */
const floatOf = ({ dtype }: PlannedFile): FloatDType => (dtype === 'f16' ? 'f16' : 'bf16');

/** The name of an official decoder, else that of its file. */
function nameOf(gpt: NamedCheckpoint): string {
  const title = titleOf(gpt);
  return findCheckpoint(title)?.name ?? title.replace(/(\.safetensors)?\.\w+$/, '');
}

/** Which of the files are checkpoints: those that look like one, or all where none does. */
async function checkpointPaths(files: GivenFiles): Promise<readonly string[]> {
  const shards = new Set<string>();
  const indices = [...files.keys()].filter((path) => INDEX.test(path));
  for (const path of indices) {
    const source = files.get(path);
    const index = source && (await readShardIndex(source));
    for (const shard of index?.values() ?? []) shards.add(parentOf(path) + shard);
  }
  const single = [...files.keys()].filter((path) => CHECKPOINT.test(path) && !shards.has(path));
  const found = [...indices, ...single].sort();
  // Whoever opens the others says why they are none.
  return found.length > 0 ? found : [...files.keys()].sort();
}

async function openNamed(files: GivenFiles, path: string): Promise<NamedCheckpoint> {
  const open = async (name: string): Promise<ByteSource> => {
    const found = files.get(name);
    if (found) return found;
    throw new WeightsError(`${name} is not among the given files`);
  };
  const isIndex = INDEX.test(path);
  const folder = parentOf(path);
  const source = await open(path);
  const checkpoint: Checkpoint = isIndex
    ? safetensorsCheckpoint(await openShards(source, (shard) => open(folder + shard)))
    : await openCheckpoint(source);
  const beside = await readConfig(files, folder);
  const own = { where: 'args', values: checkpoint.args };
  const folderName = baseOf(folder.replace(/\/$/, ''));
  return {
    path,
    titles: [baseOf(path), ...(isIndex && folderName ? [folderName] : [])],
    checkpoint,
    args: [own, beside].filter((args) => args !== undefined),
  };
}

async function readConfig(files: GivenFiles, folder: string): Promise<ArgsSource | undefined> {
  const path = `${folder}config.json`;
  const source = files.get(path);
  if (!source) return undefined;
  if (source.byteLength > MAX_CONFIG_BYTES) {
    throw new WeightsError(
      `${path}: has ${source.byteLength} bytes, at most ${MAX_CONFIG_BYTES} are read: leave it out`,
    );
  }
  const bytes = await readExactly(source, 0, source.byteLength);
  return parseConfigJson(new TextDecoder().decode(bytes), path);
}
