/** Where the rows of a pass stand: the layout of the table `rowTable`, for WGSL and for the host. */
import type { Binding, Role } from '../kernel.ts';

/** One row of a pass. Rows of one slot may stand at several positions: they attend causally. */
export interface Row {
  /** The part of the KV cache that the row reads and writes. */
  readonly slot: number;
  /** The position in it; `NO_ROW` for an idle row, which nothing is computed for. */
  readonly position: number;
  /** The line of `tokens` that holds the tokens before it. */
  readonly sequence: number;
  /** What stands at position 0 of the slot: a line of the table of conditions. */
  readonly condition: number;
}

/** 32-bit words of a row. */
export const ROW_WORDS = 4;

/** In place of a row that there is not, and the position of an idle one. */
export const NO_ROW: number = 2 ** 32 - 1;

/** The contents of a table u32 [count, 4]; rows past those given are idle. */
export function packRows(
  rows: readonly Row[],
  count: number = rows.length,
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(count * ROW_WORDS).fill(NO_ROW);
  rows.forEach(({ slot, position, sequence, condition }, i) => {
    words.set([slot, position, sequence, condition], i * ROW_WORDS);
  });
  return words;
}

/** The binding `rowTable`, u32 [rows, 4], read as structs by `rowLib`. */
export const rowTableBinding = <R extends Role>(role: R, rows: number): Binding<R> => ({
  role,
  dtype: 'u32',
  shape: [rows, ROW_WORDS],
  element: 'Row',
});

/** `struct Row`, declared before the bindings. */
export const rowLib: string = `
struct Row {
  slot: u32,
  position: u32,
  sequence: u32,
  condition: u32,
}`;
