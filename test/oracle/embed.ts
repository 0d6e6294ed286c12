/** Oracle of `embed`: the condition, after that the token before. */
import type { EmbedParams } from '../../kernels/embed/embed.ts';

export interface EmbedInputs {
  readonly rowTable: ArrayLike<number>;
  readonly tokens: ArrayLike<number>;
  readonly labelTable: ArrayLike<number>;
  readonly tokenTable: ArrayLike<number>;
}

/** NaN where the condition, the token or the position is outside its table. */
export function embed(params: EmbedParams, inputs: EmbedInputs): Float64Array {
  const { rows, dim, vocabSize, labels, blockSize, clsTokenNum = 1 } = params;
  const { rowTable, tokens, labelTable, tokenTable } = inputs;
  const out = new Float64Array(rows * dim).fill(Number.NaN);
  for (let r = 0; r < rows; r++) {
    const [, position, sequence, condition] = Array.from(rowTable).slice(4 * r, 4 * r + 4) as [
      number,
      number,
      number,
      number,
    ];
    const token = position - clsTokenNum;
    if (token >= blockSize) continue;
    const isCondition = token < 0;
    const table = isCondition ? labelTable : tokenTable;
    const index = isCondition ? condition + position : tokens[sequence * blockSize + token]!;
    if (index >= (isCondition ? labels : vocabSize)) continue;
    for (let i = 0; i < dim; i++) out[r * dim + i] = table[index * dim + i]!;
  }
  return out;
}
