/** Test data of the kernels that work on a KV cache. */
import { normal } from './random.ts';

/** (KV slot, position) of every row: different slots, positions with gaps, none twice. */
export function scatteredPlaces(rows: number, slots: number, positions: number): Uint32Array {
  if (rows > slots * positions) throw new Error(`${rows} rows, ${slots * positions} places`);
  const all = Array.from({ length: slots * positions }, (_, n) => [
    n % slots,
    Math.floor(n / slots),
  ]);
  // A step without a common factor with the number of places visits each of them once.
  let step = Math.max(1, Math.floor(all.length * 0.38));
  while (gcd(step, all.length) > 1) step++;
  return Uint32Array.from(
    Array.from({ length: rows }, (_, r) => all[(r * step) % all.length]!).flat(),
  );
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
