/** Finished pictures, kept in this browser. */
import { type Signal, signal } from '@preact/signals';
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { type Problem, problemOf } from './problem.ts';
import { keyOf, type PartOfRecipe, type Recipe } from './recipe.ts';

/** A finished picture. */
export interface Kept {
  readonly id: number;
  /** Of its recipe. */
  readonly key: string;
  readonly recipe: Recipe;
  /** The file, which says how it was made too. */
  readonly png: Blob;
  readonly width: number;
  readonly height: number;
  /** Milliseconds since 1970. */
  readonly madeAt: number;
  readonly seconds?: number | undefined;
  readonly tokens?: number | undefined;
  readonly passes?: number | undefined;
}

type Entry = Omit<Kept, 'id'> & { id?: number };

interface Schema extends DBSchema {
  readonly pictures: {
    key: number;
    value: Entry;
    indexes: { key: string };
  };
}

/** The latest first. */
export const gallery: Signal<readonly Kept[]> = signal([]);
/** Why pictures are gone when this tab is closed. */
export const galleryProblem: Signal<Problem | undefined> = signal(undefined);

const others =
  typeof BroadcastChannel === 'function' ? new BroadcastChannel('llamagen-gallery') : undefined;
let opened: Promise<IDBPDatabase<Schema>> | undefined;
/** Of pictures that the browser does not keep. */
let nextId = -1;

function database(): Promise<IDBPDatabase<Schema>> {
  const forget = (): void => {
    opened = undefined;
  };
  opened ??= openDB<Schema>('llamagen-gallery', 1, {
    upgrade(db) {
      db.createObjectStore('pictures', { keyPath: 'id', autoIncrement: true }).createIndex(
        'key',
        'key',
      );
    },
    // The browser closed it, such as to clear what sites keep: whoever needs it opens it again.
    terminated: forget,
  });
  opened.catch(forget);
  return opened;
}

/** Reads what is kept, and follows what other tabs do to it. */
export async function openGallery(): Promise<void> {
  if (others) others.onmessage = () => void readAll();
  await readAll();
}

async function readAll(): Promise<void> {
  try {
    const db = await database();
    // What cannot be read keeps nothing else from being seen.
    const all: readonly Entry[] = await db.getAll('pictures').catch(() => readEach(db));
    const unkept = gallery.value.filter(({ id }) => id < 0);
    gallery.value = [...all.filter(isWhole), ...unkept].sort(latestFirst);
    revokeGone();
  } catch (error) {
    galleryProblem.value = problemOf(error, 'gallery');
  }
}

async function readEach(db: IDBPDatabase<Schema>): Promise<readonly Entry[]> {
  const keys = await db.getAllKeys('pictures');
  const each = keys.map((key) => db.get('pictures', key).catch(() => undefined));
  return (await Promise.all(each)).filter((entry) => entry !== undefined);
}

/** Whether it has what is shown; a browser that broke down may have kept less. */
const isWhole = (entry: Entry): entry is Kept =>
  entry.id !== undefined && entry.png instanceof Blob && typeof entry.recipe?.seed === 'number';

/** The picture of a recipe that is here already, on a device that computes alike. */
export const find = (recipe: PartOfRecipe): Kept | undefined => {
  const key = keyOf(recipe);
  return gallery.value.find((kept) => kept.key === key);
};

/** Keeps a picture, unless the same one is here. */
export async function keep(picture: Omit<Kept, 'id' | 'key'>): Promise<Kept> {
  const known = find(picture.recipe);
  if (known) return known;
  const entry = { ...picture, key: keyOf(picture.recipe) };
  let id = nextId--;
  // Where there is no room left it stays as long as the tab does.
  await write(async (db) => {
    id = await db.add('pictures', entry);
  });
  const kept = { ...entry, id };
  gallery.value = [kept, ...gallery.value];
  return kept;
}

/** The picture that was taken out last; it can be put back. */
export const removed: Signal<Kept | undefined> = signal(undefined);

/** Takes a picture out. */
export async function remove(kept: Kept): Promise<void> {
  gallery.value = gallery.value.filter(({ id }) => id !== kept.id);
  removed.value = kept;
  revokeGone();
  await write((db) => db.delete('pictures', kept.id));
}

/** Puts the picture that was taken out last in its place again. */
export async function putBack(): Promise<void> {
  const kept = removed.value;
  if (!kept) return;
  removed.value = undefined;
  gallery.value = [...gallery.value, kept].sort(latestFirst);
  if (kept.id > 0) await write((db) => db.put('pictures', kept));
}

/** Changes what is kept, and tells other tabs. */
async function write(change: (db: IDBPDatabase<Schema>) => Promise<unknown>): Promise<void> {
  try {
    await change(await database());
    galleryProblem.value = undefined;
    others?.postMessage('changed');
  } catch (error) {
    galleryProblem.value = problemOf(error, 'gallery');
  }
}

const latestFirst = (a: Kept, b: Kept): number => b.madeAt - a.madeAt || b.id - a.id;

const urls = new Map<number, string>();

/** Frees the files of pictures that are no longer in the gallery. */
function revokeGone(): void {
  const here = new Set(gallery.value.map(({ id }) => id));
  for (const [id, url] of urls) {
    if (here.has(id)) continue;
    URL.revokeObjectURL(url);
    urls.delete(id);
  }
}

/** An address of its file, until the gallery changes and it is not in it. */
export function urlOf({ id, png }: Kept): string {
  const url = urls.get(id) ?? URL.createObjectURL(png);
  urls.set(id, url);
  return url;
}
