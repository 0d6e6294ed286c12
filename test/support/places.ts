/** Test data of the kernels that work on a KV cache. */
import { packRows } from '../../kernels/lib/row-table.ts';
import { normal } from './random.ts';

/** A row table from pairs of KV slot and position; the line of tokens is that of the slot. */
export const rowsAt = (pairs: ArrayLike<number>, condition = 0): Uint32Array<ArrayBuffer> =>
  packRows(
    Array.from({ length: pairs.length / 2 }, (_, r) => {
      const [slot, position] = [pairs[2 * r]!, pairs[2 * r + 1]!];
      return { slot, position, sequence: slot, condition };
    }),
  );

/** A row table of different slots, positions with gaps, none twice. */
export function scatteredRows(
  rows: number,
  slots: number,
  positions: number,
): Uint32Array<ArrayBuffer> {
  if (rows > slots * positions) throw new Error(`${rows} rows, ${slots * positions} places`);
  const all = Array.from({ length: slots * positions }, (_, n) => [
    n % slots,
    Math.floor(n / slots),
  ]);
  // A step without a common factor with the number of places visits each of them once.
  let step = Math.max(1, Math.floor(all.length * 0.38));
  while (gcd(step, all.length) > 1) step++;
  return rowsAt(Array.from({ length: rows }, (_, r) => all[(r * step) % all.length]!).flat());
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** A RoPE table [positions, headDim / 2, 2] of arbitrary angles; the condition rows are zero. */
export function anyRope(positions: number, headDim: number, clsTokenNum = 1): Float32Array {
  const angles = normal((positions * headDim) / 2, 77, 3);
  const table = new Float32Array(positions * headDim);
  for (let i = clsTokenNum * (headDim / 2); i < angles.length; i++) {
    table[2 * i] = Math.cos(angles[i]!);
    table[2 * i + 1] = Math.sin(angles[i]!);
  }
  return table;
}
