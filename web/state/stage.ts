/** What is on the stage: pictures under way, or those that are looked at. */
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { galleryProblem, type Kept } from './gallery.ts';
import { type Pixels, pixelsOf } from './pixels.ts';
import { problemOf } from './problem.ts';
import type { Recipe } from './recipe.ts';

/** A place of the stage. */
export interface Tile {
  /** No other tile has had it: what comes late for one that is gone finds nothing. */
  readonly id: number;
  readonly recipe: Recipe;
  readonly state: 'waiting' | 'drawing' | 'done' | 'stopped';
  /** The picture that was here before, dimmed while the next one is made. */
  readonly before?: Pixels | undefined;
  /** As far as it is drawn; the rest is transparent. */
  readonly now?: Pixels | undefined;
  /** Tokens that are known. */
  readonly done: number;
  /** Once it is finished. */
  readonly kept?: Kept | undefined;
}

export const tiles: Signal<readonly Tile[]> = signal([]);
const index = signal(0);
let nextId = 0;
/** Counts what was put on the stage. */
let changes = 0;
/** Which of several is looked at. */
export const selected: ReadonlySignal<number> = index;
/** The tile that is looked at. */
export const current: ReadonlySignal<Tile | undefined> = computed(() => tiles.value[index.value]);

export function select(place: number): void {
  index.value = place;
}

/**
 * Makes room for pictures to come; those that were there shine through until then.
 * @returns The ids of their tiles.
 */
export function clear(recipes: readonly Recipe[]): readonly number[] {
  changes++;
  const old = tiles.value;
  const chosen = current.value;
  tiles.value = recipes.map((recipe, i) => {
    const { now, before, state } = (recipes.length === 1 ? chosen : old[i]) ?? {};
    const id = nextId++;
    return { id, recipe, state: 'waiting', done: 0, before: state === 'done' ? now : before };
  });
  index.value = 0;
  return tiles.value.map(({ id }) => id);
}

/** @returns Whether the tile is still there. */
export function put(id: number, changed: Partial<Tile>): boolean {
  if (!tiles.value.some((tile) => tile.id === id)) return false;
  tiles.value = tiles.value.map((tile) => (tile.id === id ? { ...tile, ...changed } : tile));
  return true;
}

/**
 * Looks at a picture of the gallery; nothing may be drawn meanwhile.
 * @returns Whether it is there: not where its file is damaged, or something else was put on the stage before it
 * could be.
 */
export async function show(kept: Kept): Promise<boolean> {
  const change = ++changes;
  const now = await pixelsOf(kept.png).catch((error: unknown) => {
    galleryProblem.value = problemOf(error, 'picture');
    return undefined;
  });
  if (!now || change !== changes) return false;
  const { recipe, tokens: done = 0 } = kept;
  tiles.value = [{ id: nextId++, recipe, state: 'done', now, done, kept }];
  index.value = 0;
  return true;
}

/** Takes a picture off the stage. */
export function leave({ id }: Kept): void {
  const chosen = current.value?.id;
  tiles.value = tiles.value.filter(({ kept }) => kept?.id !== id);
  const place = tiles.value.findIndex((tile) => tile.id === chosen);
  index.value = place >= 0 ? place : Math.max(0, Math.min(index.value, tiles.value.length - 1));
}
