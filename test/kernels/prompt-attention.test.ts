/** What the cases of attention over prompts cannot say. */
import { describe, expect, test } from 'vitest';
import { promptAttention } from '../../kernels/attention/prompt-attention.ts';
import type { Variant } from '../../kernels/kernel.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, VARIANTS, variantName } from '../support/variants.ts';

const device = await testDevice();
const heads = { nHead: 2, headDim: 12, buckets: 5, reach: 3 };
const width = heads.nHead * heads.headDim;
const shared = {
  bucketTable: Uint32Array.of(4, 2, 1, 0, 1, 3, 4),
  bias: normal(heads.buckets * heads.nHead, 9, 2),
};
/** Rows of q, k and v of a prompt. */
type Prompt = readonly [Float32Array, Float32Array, Float32Array];
const promptOf = (rows: number, seed: number): Prompt => [
  normal(rows * width, seed),
  normal(rows * width, seed + 1),
  normal(rows * width, seed + 2),
];
const rowsOf = ([{ length }]: Prompt): number => length / width;

/** The outputs of each prompt; behind them are `idle` rows of none. */
async function outputs(
  variant: Variant,
  prompts: readonly Prompt[],
  idle = 0,
): Promise<readonly (readonly number[])[]> {
  const rows = prompts.reduce((sum, prompt) => sum + rowsOf(prompt), idle);
  const places = new Uint32Array(2 * rows);
  const joined = [0, 1, 2].map(() => new Float32Array(rows * width));
  let first = 0;
  const firsts = prompts.map((prompt) => {
    for (const [i, values] of prompt.entries()) joined[i]!.set(values, first * width);
    const count = rowsOf(prompt);
    for (let row = first; row < first + count; row++) places.set([first, count], 2 * row);
    first += count;
    return first - count;
  });
  const [q, k, v] = joined as [Float32Array, Float32Array, Float32Array];
  const kernel = promptAttention({ ...heads, rows, variant });
  const { out } = await runKernel(device, kernel, { ...shared, q, k, v, places });
  const values = [...(out as Float32Array)];
  const cut = (row: number, end: number) => values.slice(row * width, end * width);
  return [...firsts.map((at, i) => cut(at, at + rowsOf(prompts[i]!))), cut(first, rows)];
}

describe.each(
  deviceVariants(device, VARIANTS).map((variant) => ({ title: variantName(variant), variant })),
)('$title', ({ variant }) => {
  const [short, long] = [promptOf(3, 1), promptOf(70, 11)];

  test('a prompt has the same bits wherever it stands, and whatever is beside it', async () => {
    const [alone] = await outputs(variant, [short]);
    const [, second, third] = await outputs(variant, [long, short, short], 2);
    expect(second).toEqual(alone);
    expect(third).toEqual(alone);
    expect(new Set(alone).size).toBe(3 * width);
  });

  test('NaN stays in its prompt, and rows of none are zero', async () => {
    const broken: Prompt = [short[0], short[1].map(() => Number.NaN), short[2]];
    const [alone] = await outputs(variant, [long]);
    const [bad, good, idle] = await outputs(variant, [broken, long], 3);
    expect(bad!.every(Number.isNaN)).toBe(true);
    expect(good).toEqual(alone);
    expect(idle).toEqual(Array(3 * width).fill(0));
  });
});
