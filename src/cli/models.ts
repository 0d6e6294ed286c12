/** Model folders on this machine. */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { OptionError } from '../errors.ts';
import { CHECKPOINTS, findCheckpoint, nearModelNames } from '../models/checkpoints.ts';
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

/**
 * Folders with a `model.json`: from here under `models/` and `weights/`, then those of this package
 * and of the user (`$XDG_DATA_HOME/llamagen-webgpu/models`).
 */
export function findModels(env: NodeJS.ProcessEnv = process.env): string[] {
  const data = env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local', 'share');
  const places = [
    ...[packageFolder(), process.cwd()].flatMap((folder) => [
      join(folder, 'weights'),
      join(folder, 'models'),
    ]),
    resolve(data, 'llamagen-webgpu', 'models'),
  ];
  return [...new Set(places)].filter(existsSync).flatMap((place) =>
    readdirSync(place)
      .map((name) => join(place, name))
      .filter(isModel),
  );
}

/**
 * The folder that `--model` means: a path, else the name of a folder that `findModels` finds.
 * @throws OptionError with near names, or how to get an official model.
 */
export function resolveModel(value: string): string {
  if (isModel(value)) return value;
  const official = findCheckpoint(value)?.name;
  const models = findModels();
  // What lies in the current folder comes before what is installed.
  const here = [...models].sort((a, b) => Number(isBelow(b)) - Number(isBelow(a)));
  const found = here.find((folder) => [value, official].includes(basename(folder)));
  if (found !== undefined) return found;
  // A folder that is no model, or a path: whoever opens it says what is missing.
  if (existsSync(value) || /[/\\]/.test(value)) return value;
  if (official !== undefined) {
    throw new OptionError(
      `--model: ${official} is not here: run "llamagen pull ${official}" first`,
    );
  }
  const known = [...new Set(models.map((folder) => basename(folder)))];
  const officials = CHECKPOINTS.filter(({ gpt }) => gpt).map(({ name }) => name);
  const near = nearModelNames([...known, ...officials], value);
  throw new OptionError(
    near.length > 0
      ? `--model: no folder and no model "${value}": did you mean ${near.join(' or ')}?`
      : `--model: no folder and no model "${value}": here are ${known.join(', ')}; "llamagen pull --list" shows the official ones`,
  );
}

const isModel = (folder: string): boolean => existsSync(join(folder, 'model.json'));

const isBelow = (folder: string): boolean => folder.startsWith(join(process.cwd(), '/'));
