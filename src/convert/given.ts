/** A model in files that somebody gave, whatever they are: a model folder, or official checkpoints. */
import { OptionError, WeightsError } from '../errors.ts';
import type { ByteSource, ModelFiles } from '../weights/source.ts';

/** Files by their paths, with slashes between the names of folders. */
export type GivenFiles = ReadonlyMap<string, ByteSource>;

export interface GivenModel extends ModelFiles {
  /** Which state dicts were taken, where a file has several or one in an unusual place. */
  readonly notes: readonly string[];
}

const MODEL_JSON = 'model.json';
/** Most names in a message. */
const MAX_NAMES = 5;

/**
 * Opens a model folder where there is a `model.json`; else a decoder and a tokenizer (`.pt`, safetensors,
 * shards with their index), which are converted as they are read.
 * @throws OptionError when files are missing or there are too many, WeightsError when one is broken or no
 * checkpoint.
 */
export async function openGiven(files: GivenFiles): Promise<GivenModel> {
  if (files.size === 0) throw new OptionError('no files were given: a model has two or three');
  const jsons = [...files.keys()].filter((path) => baseOf(path) === MODEL_JSON);
  if (jsons.length > 1) {
    throw new OptionError(`${jsons.join(', ')}: more than one model: give the files of one`);
  }
  const [json] = jsons;
  if (json !== undefined) return folderOf(files, json);
  // Most models are folders: what reads checkpoints is fetched when somebody has some.
  const { openCheckpoints } = await import('./given-checkpoints.ts');
  return openCheckpoints(files);
}

/** The last name of a path. */
export const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
/** What stands before it, with the slash. */
export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);

/** The files beside a `model.json`, and in folders beside it. */
function folderOf(files: GivenFiles, json: string): GivenModel {
  const folder = parentOf(json);
  return {
    name: folder.replace(/\/$/, '') || 'the given files',
    notes: [],
    async open(file) {
      const found = files.get(folder + file);
      if (found) return found;
      throw new WeightsError(
        `${file} is not among the given files (${listed([...files.keys()])}): a model folder holds model.json, gpt.safetensors and vq.safetensors`,
      );
    },
  };
}

function listed(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  const shown = names.slice(0, MAX_NAMES).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}
