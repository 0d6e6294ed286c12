/**
 * Files in the origin's private file system. Dedicated workers write through synchronous access handles,
 * which every browser with OPFS has; pages through writable streams. Anyone reads by `getFile`, which no
 * lock hinders.
 */
import { type Bytes, heldBlob, type Place } from './place.ts';

/** What dedicated workers have beyond the types of pages. */
interface SyncHandle {
  write(bytes: Bytes, at: { readonly at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}
type SyncFile = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncHandle> };

/**
 * Its calls throw what the browser throws where it keeps no files.
 * @param root A folder of the origin's private file system.
 */
export function opfsPlace(root: string): Place {
  // Found anew each time: browsers remove it with everything that a site keeps, while its pages are open.
  const folderAt = async (path: readonly string[], create = false) => {
    let folder = await navigator.storage.getDirectory();
    for (const name of [root, ...path]) {
      folder = await folder.getDirectoryHandle(name, { create });
    }
    return folder;
  };
  return {
    kind: 'opfs',
    async get(path) {
      const [name, folder] = split(path);
      const found = await orNothing(async () =>
        (await (await folderAt(folder)).getFileHandle(name)).getFile(),
      );
      return found && heldBlob(found);
    },
    async put(path, parts) {
      const [name, folder] = split(path);
      const handle: SyncFile = await (await folderAt(folder, true)).getFileHandle(name, {
        create: true,
      });
      if (handle.createSyncAccessHandle) writeAll(await handle.createSyncAccessHandle(), parts);
      else await streamAll(handle, parts);
    },
    async names(folder) {
      const found = await orNothing(async () => {
        const names: string[] = [];
        const within = await folderAt(folder === '' ? [] : folder.split('/'));
        for await (const name of within.keys()) names.push(name);
        return names;
      });
      return found ?? [];
    },
    async remove(path) {
      const [name, folder] = split(path);
      await orNothing(async () => (await folderAt(folder)).removeEntry(name, { recursive: true }));
    },
  };
}

/** The last name of a path, and the folders before it. */
function split(path: string): [name: string, folder: readonly string[]] {
  const names = path.split('/');
  return [names.at(-1) ?? '', names.slice(0, -1)];
}

function writeAll(handle: SyncHandle, parts: readonly Bytes[]): void {
  try {
    // Cut last: a write that fails for want of room, or ends with the browser, leaves what was there.
    let at = 0;
    for (const part of parts) {
      for (let done = 0; done < part.byteLength; ) {
        const written = handle.write(part.subarray(done), { at: at + done });
        if (written === 0) throw new DOMException('nothing was written', 'QuotaExceededError');
        done += written;
      }
      at += part.byteLength;
    }
    handle.truncate(at);
    handle.flush();
  } finally {
    handle.close();
  }
}

async function streamAll(handle: FileSystemFileHandle, parts: readonly Bytes[]): Promise<void> {
  const stream = await handle.createWritable();
  try {
    for (const part of parts) await stream.write(part);
  } catch (error) {
    await stream.abort().catch(() => {});
    throw error;
  }
  await stream.close();
}

/** What browsers say of a name that is not there, or is that of a folder in the place of a file. */
const NOT_THERE: readonly string[] = ['NotFoundError', 'TypeMismatchError'];

/** What `look` finds; undefined where there is no such file or folder, or no longer. */
async function orNothing<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof DOMException && NOT_THERE.includes(error.name)) return undefined;
    throw error;
  }
}
