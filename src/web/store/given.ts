/** Files that a person dropped or picked, as a model. */

import { type GivenModel, openGiven } from '../../convert/given.ts';
import { OptionError, WeightsError } from '../../errors.ts';
import { type ByteSource, checkRange } from '../../weights/source.ts';

/**
 * Opens a model in files. They stay where they are: nothing is stored.
 * @throws OptionError, WeightsError as `openGiven`.
 */
export async function openFiles(files: readonly File[]): Promise<GivenModel> {
  const sources = new Map<string, ByteSource>();
  for (const file of files) {
    // Folders keep their paths; single files have names alone.
    const path = file.webkitRelativePath || file.name;
    if (sources.has(path)) throw new OptionError(`${path}: was given twice`);
    sources.set(path, fileSource(path, file));
  }
  return openGiven(sources);
}

function fileSource(name: string, file: File): ByteSource {
  const byteLength = file.size;
  return {
    name,
    byteLength,
    async read(offset, length) {
      checkRange({ name, byteLength }, offset, length);
      try {
        return new Uint8Array(await file.slice(offset, offset + length).arrayBuffer());
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new WeightsError(
          `${name}: cannot be read (${why}): it was changed, moved or is a folder; give it again`,
          { cause },
        );
      }
    },
  };
}
