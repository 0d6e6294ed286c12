/** Which files of a folder make a model. */
import { WeightsError } from '../../errors.ts';
import { type ModelJson, parseModelJson } from '../../models/model-json.ts';
import { readShardIndex } from '../../weights/sharded.ts';
import { memorySource } from '../../weights/source.ts';
import type { RemoteFile } from './remote.ts';

/** A folder of a server. */
export interface RemoteFolder {
  /** For messages. */
  readonly name: string;
  /** @returns undefined where the folder has no such file. */
  find(file: string): Promise<RemoteFile | undefined>;
  /** All bytes of a short file. */
  read(file: RemoteFile): Promise<Uint8Array<ArrayBuffer>>;
}

/** The files of a model, and what it says of itself. */
export interface FolderPlan {
  readonly config: ModelJson;
  readonly files: readonly RemoteFile[];
}

const HOLDS = 'a model folder holds model.json, gpt.safetensors and vq.safetensors';

/**
 * Looks for the files of a model, and for those of the T5 that reads its prompts, if it has one.
 * @throws WeightsError when a file is missing, or `model.json` is broken.
 */
export async function planFolder(folder: RemoteFolder): Promise<FolderPlan> {
  const json = await folder.find('model.json');
  if (!json) throw new WeightsError(`${folder.name}: has no model.json: ${HOLDS}`);
  const text = new TextDecoder().decode(await folder.read(json));
  const config = parseModelJson(text, json.url);
  const [gpt, vq, t5] = await Promise.all([
    weights(folder, 'gpt'),
    weights(folder, 'vq'),
    config.gpt.modelType === 't2i' ? textFiles(folder) : [],
  ]);
  for (const [part, files] of Object.entries({ gpt, vq })) {
    if (files.length > 0) continue;
    throw new WeightsError(`${folder.name}: has no ${part}.safetensors: ${HOLDS}`);
  }
  return { config, files: [json, ...vq, ...gpt, ...t5] };
}

/** One file or an index with its shards; none where there is neither. */
async function weights(folder: RemoteFolder, stem: string): Promise<readonly RemoteFile[]> {
  const single = await folder.find(`${stem}.safetensors`);
  if (single) return [single];
  const index = await folder.find(`${stem}.safetensors.index.json`);
  if (!index) return [];
  const shards = await readShardIndex(memorySource(index.url, await folder.read(index)));
  const within = stem.slice(0, stem.lastIndexOf('/') + 1);
  const found = [...new Set(shards.values())].map(async (shard) => {
    const file = await folder.find(within + shard);
    if (file) return file;
    throw new WeightsError(`${index.url}: names the shard ${shard}, which is not there`);
  });
  return [index, ...(await Promise.all(found))];
}

/** The T5 of a model of texts: nothing unless all of it is there, since features do without it. */
async function textFiles(folder: RemoteFolder): Promise<readonly RemoteFile[]> {
  const tokenizer = await folder.find('tokenizer.json');
  for (const [config, stem] of [
    ['t5.json', 't5'],
    ['t5/config.json', 't5/model'],
  ] as const) {
    const json = tokenizer && (await folder.find(config));
    const files = json ? await weights(folder, stem) : [];
    if (tokenizer && json && files.length > 0) return [tokenizer, json, ...files];
  }
  return [];
}
