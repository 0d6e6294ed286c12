/** Files for as long as the page lives. */
import { type Bytes, namesWithin, type Place } from './place.ts';

export function memoryPlace(): Place {
  const files = new Map<string, Bytes>();
  return {
    kind: 'memory',
    async get(path) {
      const bytes = files.get(path);
      return (
        bytes && {
          byteLength: bytes.byteLength,
          read: async (offset, length) => bytes.slice(offset, offset + length),
        }
      );
    },
    async put(path, parts) {
      const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
      let at = 0;
      for (const part of parts) {
        bytes.set(part, at);
        at += part.byteLength;
      }
      files.set(path, bytes);
    },
    async names(folder) {
      return namesWithin(folder, [...files.keys()]);
    },
    async remove(folder) {
      for (const path of files.keys()) if (path.startsWith(`${folder}/`)) files.delete(path);
    },
  };
}
