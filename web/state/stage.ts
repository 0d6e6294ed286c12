/** What is on the stage: pictures under way, or those that are looked at. */
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Kept } from './gallery.ts';
import { type Pixels, pixelsOf } from './pixels.ts';
import type { Recipe } from './recipe.ts';

/** A place of the stage. */
export interface Tile {
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
/** Which of several is looked at. */
export const selected: ReadonlySignal<number> = index;
/** The tile that is looked at. */
export const current: ReadonlySignal<Tile | undefined> = computed(() => tiles.value[index.value]);

export function select(place: number): void {
  index.value = place;
}

/** Makes room for pictures to come; those that were there shine through until then. */
export function clear(recipes: readonly Recipe[]): void {
  const old = tiles.value;
  const chosen = current.value;
  tiles.value = recipes.map((recipe, i) => {
    const { now, before, state } = (recipes.length === 1 ? chosen : old[i]) ?? {};
    return { recipe, state: 'waiting', done: 0, before: state === 'done' ? now : before };
  });
  index.value = 0;
}

export function put(place: number, changed: Partial<Tile>): void {
  tiles.value = tiles.value.map((tile, i) => (i === place ? { ...tile, ...changed } : tile));
}

/** Looks at a picture of the gallery. */
export async function show(kept: Kept): Promise<void> {
  const now = await pixelsOf(kept.png);
  tiles.value = [{ recipe: kept.recipe, state: 'done', now, done: kept.tokens ?? 0, kept }];
  index.value = 0;
}

/** Takes a picture off the stage. */
export function leave({ id }: Kept): void {
  tiles.value = tiles.value.filter(({ kept }) => kept?.id !== id);
  index.value = Math.max(0, Math.min(index.value, tiles.value.length - 1));
}
