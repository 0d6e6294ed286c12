/** The 2-D rotary table, computed as the official code does: every step rounded to float32. */
import type { GptConfig } from './gpt-config.ts';

/**
 * Angles of every position, as (cos, sin) pairs: [clsTokenNum + gridSize^2, headDim / 2, 2]. Of the
 * headDim / 2 pairs the first half turns with the grid row, the second with the column. The rows of
 * the condition tokens are zero (not the identity): their queries and keys become zero vectors.
 * Source: LlamaGen autoregressive/models/gpt.py, precompute_freqs_cis_2d.
 */
export function ropeTable(
  config: Pick<GptConfig, 'gridSize' | 'headDim' | 'clsTokenNum' | 'ropeBase'>,
): Float32Array<ArrayBuffer> {
  const { gridSize, headDim, clsTokenNum, ropeBase } = config;
  const { fround } = Math;
  const half = headDim / 2;
  const perAxis = headDim / 4;
  const frequency = Float32Array.from({ length: perAxis }, (_, j) =>
    fround(1 / fround(ropeBase ** fround((2 * j) / half))),
  );
  const table = new Float32Array((clsTokenNum + gridSize ** 2) * headDim);
  for (let cell = 0; cell < gridSize ** 2; cell++) {
    const [row, column] = [Math.floor(cell / gridSize), cell % gridSize];
    for (let pair = 0; pair < half; pair++) {
      const along = pair < perAxis ? row : column;
      const angle = fround(along * (frequency[pair % perAxis] ?? 0));
      const at = (clsTokenNum + cell) * headDim + 2 * pair;
      table[at] = Math.cos(angle);
      table[at + 1] = Math.sin(angle);
    }
  }
  return table;
}
