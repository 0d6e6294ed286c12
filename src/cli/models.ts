/** Model folders on this machine. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ModelJson, parseModelJson } from '../models/model-json.ts';
import { packageFolder } from '../node/files.ts';
import { type ModelFiles, readExactly } from '../weights/source.ts';

/**
 * What a model folder says about itself, without its weights.
 * @throws WeightsError when it is no model folder.
 */
export async function readModelJson(files: ModelFiles): Promise<ModelJson> {
  const source = await files.open('model.json');
  const bytes = await readExactly(source, 0, source.byteLength);
  return parseModelJson(new TextDecoder().decode(bytes), source.name);
}

/** Folders with a `model.json` under `weights/` and `models/`, of this package and from here. */
export function findModels(): string[] {
  const places = [packageFolder(), process.cwd()].flatMap((folder) => [
    join(folder, 'weights'),
    join(folder, 'models'),
  ]);
  return [...new Set(places)].filter(existsSync).flatMap((place) =>
    readdirSync(place)
      .map((name) => join(place, name))
      .filter((folder) => existsSync(join(folder, 'model.json'))),
  );
}
