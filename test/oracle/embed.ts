/** Oracle of `embed`: the class at position 0, after that the token before. */
import type { EmbedParams } from '../../kernels/embed/embed.ts';

export interface EmbedInputs {
  readonly place: ArrayLike<number>;
  readonly label: ArrayLike<number>;
  readonly tokens: ArrayLike<number>;
  readonly labelTable: ArrayLike<number>;
  readonly tokenTable: ArrayLike<number>;
}

/** NaN where the label, the token or the position is outside its table. */
export function embed(params: EmbedParams, inputs: EmbedInputs): Float64Array {
  const { rows, sequences, dim, vocabSize, labels, blockSize } = params;
  const { place, label, tokens, labelTable, tokenTable } = inputs;
  const out = new Float64Array(rows * dim).fill(Number.NaN);
  for (let r = 0; r < rows; r++) {
    const slot = place[2 * r]!;
    const position = place[2 * r + 1]!;
    if (position > blockSize) continue;
    const isClass = position === 0;
    const table = isClass ? labelTable : tokenTable;
    const index = isClass ? label[slot]! : tokens[(slot % sequences) * blockSize + position - 1]!;
    if (index >= (isClass ? labels : vocabSize)) continue;
    for (let i = 0; i < dim; i++) out[r * dim + i] = table[index * dim + i]!;
  }
  return out;
}
