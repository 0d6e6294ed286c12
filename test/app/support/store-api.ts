/** What tests of the store call, in a worker or a page: the store, and what it said. */

import {
  estimateSource,
  type HubOptions,
  type ModelSource,
  type ModelStore,
  openModelStore,
  type SourceEstimate,
  type StoredModel,
  type StoreOptions,
  type StoreProgress,
} from '../../../src/web/index.ts';
import { openSafetensors } from '../../../src/weights/safetensors.ts';

export interface Opened {
  readonly kind: string;
  readonly note?: string | undefined;
  readonly notes: readonly string[];
  readonly progress: readonly StoreProgress[];
  /** SHA-256 of each file of the model. */
  readonly files: Readonly<Record<string, string>>;
  readonly models: readonly StoredModel[];
  readonly error?: { readonly name: string; readonly message: string; readonly problem?: string };
}

export interface StoreApi {
  /** Opens a model and reads the files of these names; `stopAt`: aborts behind so many bytes. */
  open(
    source: ModelSource,
    options?: StoreOptions & { readonly read?: readonly string[]; readonly stopAt?: number },
  ): Promise<Opened>;
  store(options?: StoreOptions): Promise<ModelStore>;
  /** Opens files that are fetched, as if a person had dropped them. */
  drop(files: Readonly<Record<string, string>>, read?: readonly string[]): Promise<Opened>;
  /** What a model would take, or how the call ended that failed. */
  estimate(
    source: ModelSource,
    hub?: HubOptions,
  ): Promise<SourceEstimate | NonNullable<Opened['error']>>;
  /** Paths and lengths of everything in OPFS. */
  stored(): Promise<Record<string, number>>;
  /** Turns a byte of every block around, or cuts it. */
  damage(how: 'flip' | 'cut' | 'remove'): Promise<number>;
}

const FOLDER = ['model.json', 'gpt.safetensors', 'vq.safetensors'];
/** Files are read as loading reads them: in pieces that no block knows. */
const PIECE = 3_000_001;

const stores = new Map<string, Promise<ModelStore>>();

const api: StoreApi = {
  async store(options = {}) {
    const key = JSON.stringify(options);
    const store = stores.get(key) ?? openModelStore(options);
    stores.set(key, store);
    return store;
  },
  async open(source, { read = FOLDER, stopAt, ...options } = {}) {
    const store = await api.store(options);
    const [notes, progress]: [string[], StoreProgress[]] = [[], []];
    const files: Record<string, string> = {};
    const controller = new AbortController();
    let error: Opened['error'];
    try {
      const model = await store.open(source, {
        signal: controller.signal,
        onNote: (note) => notes.push(note),
        onProgress(now) {
          progress.push(now);
          if (now.done >= (stopAt ?? Number.POSITIVE_INFINITY)) controller.abort(new Error('stop'));
        },
      });
      for (const name of read) {
        const source = await model.open(name);
        if (name.endsWith('.safetensors')) await openSafetensors(source);
        const all = new Uint8Array(source.byteLength);
        for (let at = 0; at < all.length; at += PIECE) {
          all.set(await source.read(at, Math.min(PIECE, all.length - at)), at);
        }
        files[name] = await sha256(all);
      }
    } catch (thrown) {
      error = failureOf(thrown);
    }
    const { kind, note } = store;
    return {
      kind,
      note,
      notes,
      progress,
      files,
      models: await store.list(),
      ...(error && { error }),
    };
  },
  async drop(files, read) {
    const dropped = Object.entries(files).map(async ([name, url]) => {
      const bytes = await (await fetch(url)).arrayBuffer();
      return new File([bytes], name);
    });
    return api.open({ files: await Promise.all(dropped) }, { ...(read && { read }) });
  },
  async estimate(source, hub) {
    try {
      return await estimateSource(source, { hub });
    } catch (error) {
      return failureOf(error);
    }
  },
  async stored() {
    const found: Record<string, number> = {};
    await eachFile(await navigator.storage.getDirectory(), '', async (path, handle) => {
      found[path] = (await handle.getFile()).size;
    });
    return found;
  },
  async damage(how) {
    let count = 0;
    await eachFile(await navigator.storage.getDirectory(), '', async (path, handle, folder) => {
      if (path.endsWith('/record')) return;
      count++;
      if (how === 'remove') return folder.removeEntry(handle.name);
      const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
      const at = bytes.length >> 1;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      const stream = await handle.createWritable();
      await stream.write(how === 'flip' ? bytes : bytes.slice(0, at));
      await stream.close();
    });
    return count;
  },
};
Object.assign(globalThis, { api });

function failureOf(error: unknown): NonNullable<Opened['error']> {
  const { name, message } = error as Error;
  const { problem } = Object(error);
  return { name, message, ...(problem && { problem }) };
}

async function eachFile(
  folder: FileSystemDirectoryHandle,
  path: string,
  see: (
    path: string,
    file: FileSystemFileHandle,
    folder: FileSystemDirectoryHandle,
  ) => Promise<unknown>,
): Promise<void> {
  for await (const [name, handle] of folder) {
    if (isFile(handle)) await see(path + name, handle, folder);
    else await eachFile(handle as FileSystemDirectoryHandle, `${path}${name}/`, see);
  }
}

const isFile = (handle: FileSystemHandle): handle is FileSystemFileHandle => handle.kind === 'file';

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
