/**
 * Windows of sequences: the layout of `windowTable`, which says what is theirs in a pass, and of
 * `progress`, how far they are, for WGSL and for the host.
 */
import type { Binding, Role } from '../kernel.ts';
import { NO_ROW } from '../lib/row-table.ts';

/** What a sequence has in a pass: neighbouring positions from its first unknown token on. */
export interface Window {
  /** Its line of `tokens` and of `progress`. */
  readonly sequence: number;
  /** The first of its rows, which are neighbours. */
  readonly row: number;
  /** The first of its rows without condition. */
  readonly uncondRow?: number | undefined;
  /** The first of its draws, entries of `sequenceTable` and of `drawn`, which are neighbours too. */
  readonly draw: number;
  /** Positions: rows with condition, rows without where there are any, and draws. */
  readonly count: number;
}

/** How far a sequence is. */
export interface ProgressLine {
  /** Tokens that are right, the first ones of its line. */
  readonly known: number;
  /** Tokens that are right, given or guessed. */
  readonly guessed: number;
  /** Tokens that were given. */
  readonly given: number;
  /** Passes that have moved it on. */
  readonly passes: number;
}

/** 32-bit words of a window. */
export const WINDOW_WORDS = 5;

/** 32-bit words of a line of `progress`. */
export const PROGRESS_WORDS = 4;

/** The contents of a table u32 [count, 5]; windows past those given have no positions. */
export function packWindows(
  windows: readonly Window[],
  count: number = windows.length,
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(count * WINDOW_WORDS);
  for (const [
    i,
    { sequence, row, uncondRow = NO_ROW, draw, count: positions },
  ] of windows.entries())
    words.set([sequence, row, uncondRow, draw, positions], i * WINDOW_WORDS);
  return words;
}

/** What `progress` holds of a sequence whose first tokens are given and stand in its line. */
export const packStart = (given: number, known = 0): Uint32Array<ArrayBuffer> =>
  Uint32Array.of(known, Math.max(given, known), given, 0);

/** The line of a sequence in the contents of `progress`. */
export function progressOf(words: Uint32Array, sequence: number): ProgressLine {
  const at = sequence * PROGRESS_WORDS;
  const [known = 0, guessed = 0, given = 0, passes = 0] = words.subarray(at, at + PROGRESS_WORDS);
  return { known, guessed, given, passes };
}

/** The binding `windowTable`, u32 [windows, 5], read as structs by `windowLib`. */
export const windowTableBinding = (windows: number): Binding<'in'> => ({
  role: 'in',
  dtype: 'u32',
  shape: [windows, WINDOW_WORDS],
  element: 'Window',
});

/** The binding `progress`, u32 [capacity, 4], read as structs by `windowLib`. */
export const progressBinding = <R extends Role>(role: R, capacity: number): Binding<R> => ({
  role,
  dtype: 'u32',
  shape: [capacity, PROGRESS_WORDS],
  element: 'Progress',
});

/** `struct Window` and `struct Progress`, declared before the bindings. */
export const windowLib: string = `
struct Window {
  sequence: u32,
  row: u32,
  uncond_row: u32,
  draw: u32,
  count: u32,
}
struct Progress {
  known: u32,
  guessed: u32,
  given: u32,
  passes: u32,
}`;
