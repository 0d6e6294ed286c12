/** Model folders on this machine. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { CHECKPOINTS, findCheckpoint, nearModelNames } from '../catalogue/checkpoints.ts';
import { OptionError } from '../errors.ts';
import { type ModelJson, parseModelJson } from '../models/model-json.ts';
import { modelsFolder } from '../node/data-folder.ts';
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

/** Folders of models, those that a name means first: of the current folder, the user, this package. */
const places = (env?: NodeJS.ProcessEnv): string[] => [
  ...modelsOf(process.cwd()),
  modelsFolder({ env }),
  ...modelsOf(packageFolder()),
];

const modelsOf = (folder: string): string[] =>
  ['weights', 'models'].map((name) => join(folder, name));

/** Folders with a `model.json`: the package's, then those under the current folder and the user's. */
export function findModels(env?: NodeJS.ProcessEnv): string[] {
  const own = modelsOf(packageFolder());
  const others = places(env).filter((place) => !own.includes(place));
  return [...own, ...others].flatMap(modelsIn);
}

function modelsIn(place: string): string[] {
  try {
    return readdirSync(place)
      .map((name) => join(place, name))
      .filter(isModel);
  } catch {
    return []; // it is not there, or others may not look into it
  }
}

/**
 * The folder that `--model` means: a path, else the name of a model in one of the `places`.
 * @throws OptionError that says what is there instead, with near names, or how to get an official model.
 */
export function resolveModel(value: string): string {
  if (value.trim() === '') throw refused('expected a folder or a name, got an empty one');
  const found = modelNamed(value);
  if (found !== undefined) return found;
  const official = findCheckpoint(value)?.name;
  throw refused(
    existsSync(value) || /[/\\]/.test(value)
      ? noModelAt(value)
      : official === undefined
        ? noModelNamed(value)
        : `${official} is not here: run "llamagen pull ${official}" first`,
  );
}

/** The folder of a model by its path or name; undefined where there is none. */
export function modelNamed(value: string): string | undefined {
  if (isModel(value)) return value;
  const official = findCheckpoint(value)?.name;
  return places()
    .flatMap(modelsIn)
    .find((folder) => [value, official].includes(basename(folder)));
}

/** A name for a folder in the user's models. */
export function newModelFolder(name: string, env?: NodeJS.ProcessEnv): string {
  // What no file system takes, or what would lead elsewhere.
  const isBad = name.trim() !== name || /^\.*$|[/\\<>:"|?*\p{Cc}]|\.$/u.test(name);
  if (isBad) {
    throw new OptionError(
      `--name: "${name}" cannot be the name of a folder: choose another, or give the folder with --out`,
    );
  }
  return join(modelsFolder({ env }), name);
}

/** What `--model` takes for a folder: its name where that is enough. */
export function shortName(folder: string): string {
  const name = basename(folder);
  const isUsers = dirname(resolve(folder)) === modelsFolder();
  return quoted(isUsers && resolveModel(name) === folder ? name : folder);
}

/** A word of a command as a shell reads it. */
export const quoted = (word: string): string =>
  /[\s"'`$&|;<>()*?!#\\]/.test(word) && process.platform !== 'win32'
    ? `'${word.replaceAll("'", "'\\''")}'`
    : word;

const HOLDS = 'a model folder holds model.json, gpt.safetensors and vq.safetensors';

const refused = (why: string): OptionError => new OptionError(`--model: ${why}`);

function noModelAt(path: string): string {
  if (!existsSync(path)) return `${path}: no such folder`;
  if (isFolder(path)) return `${path}: has no model.json; ${HOLDS}`;
  if (basename(path) === 'model.json') return `${path} is a file: give its folder`;
  const advice = /\.(pt|pth|safetensors)$/.test(path)
    ? '"llamagen convert" makes a model folder of checkpoints'
    : HOLDS;
  return `${path} is a file: ${advice}`;
}

function noModelNamed(value: string): string {
  const known = [...new Set(findModels().map((folder) => basename(folder)))];
  const officials = CHECKPOINTS.filter(({ gpt }) => gpt).map(({ name }) => name);
  const near = nearModelNames([...known, ...officials], value);
  return near.length > 0
    ? `no folder and no model "${value}": did you mean ${near.join(' or ')}?`
    : `no folder and no model "${value}": here are ${known.join(', ')}; "llamagen pull --list" shows the official ones`;
}

/** Whether something other than a folder is there. */
export const isFile = (path: string): boolean => existsSync(path) && !isFolder(path);

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

const isModel = (folder: string): boolean => existsSync(join(folder, 'model.json'));
