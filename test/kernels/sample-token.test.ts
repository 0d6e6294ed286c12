/** The sampler in one dispatch against the three kernels that it is made of: the same bits. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../kernels/compile.ts';
import { NO_TOKEN } from '../../kernels/lib/finite.ts';
import { drawToken } from '../../kernels/sampler/draw-token.ts';
import { GIVEN, NOT_DRAWN } from '../../kernels/sampler/drawn.ts';
import { filterLogits } from '../../kernels/sampler/filter-logits.ts';
import { guidance } from '../../kernels/sampler/guidance.ts';
import { sampleToken } from '../../kernels/sampler/sample-token.ts';
import type { Sampling } from '../../kernels/sampler/sequence-table.ts';
import { testDevice } from '../support/device.ts';
import { fewBarriers } from '../support/few.ts';
import { nullDevice } from '../support/null-device.ts';
import { rowsAt } from '../support/places.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { ALL_GIVEN, packed, sampling } from '../support/sampling.ts';
import { deviceVariants, SAMPLER_VARIANTS, variantName } from '../support/variants.ts';

const device = await testDevice();

test.each(SAMPLER_VARIANTS)('a draw is the same program whatever the batch, %j', (variant) => {
  const textOf = (sequences: number, rows: number): string =>
    sampleToken({ sequences, rows, vocabSize: 16384, clsTokenNum: 1, variant }).code.replace(
      /\/\/.*/g,
      '',
    );
  expect(textOf(16, 16)).toBe(textOf(1, 2));
});

test('workgroups of 1024 hold four groups of logits each, and compile', async () => {
  const variant = { reduce: 'subgroup', f16: false, lanes: 32, invocations: 1024 } as const;
  const params = { sequences: 1, rows: 2, vocabSize: 16384, clsTokenNum: 1 };
  const kernel = sampleToken({ ...params, variant });
  expect(kernel.code).toContain('var<private> held: array<vec4f, 4>;');
  // No backend without a GPU has more than 256: all but that number is compiled.
  const code = kernel.code.replace('@workgroup_size(1024)', '@workgroup_size(256)');
  expect(code).not.toBe(kernel.code);
  await compile(await nullDevice(), { ...kernel, code });
});

const settings = [
  sampling({ seed: 1, cfgScale: 4, topK: 20 }),
  sampling({ seed: 2, cfgScale: 1 }),
  sampling({ seed: 3, cfgScale: 2, topP: 0.7, temperature: 0.8 }),
  sampling({ seed: 4, cfgScale: 3, greedy: true }),
  sampling({ seed: 5, cfgScale: 3, cfgInterval: 0, topK: 9, topP: 0.9 }),
  sampling({ seed: 6, cfgScale: 2, given: 7 }),
];
const sequences = settings.length;
const clsTokenNum = 1;

type Value = 'nan' | 'inf' | '-inf' | 'huge' | '-huge';
interface Broken {
  readonly name: string;
  /** The logit that is not like the others. */
  readonly at: number;
  readonly cond?: Value;
  readonly uncond?: Value;
  readonly how?: Partial<Sampling>;
  readonly fine?: boolean;
  /** What is noted in place of a draw. */
  readonly drawn?: number;
}

/** One sequence each: the first and the last logit, in whole groups of four and in the short one. */
const broken: readonly Broken[] = [
  { name: 'nothing', at: 0, fine: true },
  { name: 'NaN', at: 0, cond: 'nan' },
  { name: 'NaN, the last logit', at: 256, cond: 'nan' },
  { name: 'infinity', at: 131, cond: 'inf' },
  { name: 'minus infinity', at: 7, cond: '-inf' },
  { name: 'unconditional', at: 255, uncond: 'nan' },
  { name: 'infinity minus infinity', at: 9, cond: 'inf', uncond: 'inf' },
  { name: 'unconditional after guidance', at: 9, uncond: 'nan', how: { cfgScale: 1 }, fine: true },
  { name: 'guidance overflows', at: 9, cond: 'huge', uncond: '-huge' },
  { name: 'large, but finite', at: 9, cond: 'huge', uncond: 'huge', fine: true },
  { name: 'greedy', at: 9, cond: 'nan', how: { greedy: true } },
  { name: 'top-k', at: 9, cond: 'nan', how: { topK: 5 } },
  { name: 'top-p', at: 9, cond: '-inf', how: { topP: 0.5, topK: 9 } },
  { name: 'a given token', at: 9, cond: 'nan', how: { given: ALL_GIVEN }, drawn: GIVEN },
];

describe.each(
  deviceVariants(device, SAMPLER_VARIANTS).map(
    (variant) => [variantName(variant), variant] as const,
  ),
)('%s', (_, variant) => {
  const sizes = [
    { vocabSize: 257, guided: true },
    { vocabSize: 1000, guided: true },
    { vocabSize: 64, guided: false },
  ];
  test.each(fewBarriers(variant, 1, sizes))(
    '$vocabSize tokens, guided $guided',
    async ({ vocabSize, guided }) => {
      const rows = guided ? 2 * sequences : sequences;
      const raw = normal(rows * vocabSize, vocabSize, 3);
      const steps = [0, 1, 2, 3, 5, 7];
      const rowTable = rowsAt(
        Array.from({ length: rows }, (_, r) => [r, steps[r % sequences]!]).flat(),
      );
      const drawn = new Uint32Array(sequences).fill(NOT_DRAWN);
      const sequenceTable = packed(settings, guided);
      const sizes = {
        sequences,
        rows,
        vocabSize,
        clsTokenNum,
        variant,
      };

      const inputs = { raw, sequenceTable, rowTable, drawn };
      const whole = await runKernel(device, sampleToken({ ...sizes, keep: true }), inputs);

      const mixed = guided
        ? await runKernel(device, guidance({ sequences, rows, vocabSize, clsTokenNum }), {
            ...{ logits: raw, rowTable, sequenceTable },
          })
        : { out: raw };
      const { probs } = await runKernel(device, filterLogits({ sequences, vocabSize, variant }), {
        ...{ logits: mixed.out!, sequenceTable },
      });
      const parts = await runKernel(device, drawToken(sizes), {
        ...{ probs: probs!, sequenceTable, rowTable, drawn },
      });
      expect(whole.logits).toEqual(mixed.out);
      expect(whole.probs).toEqual(probs);
      expect(whole.drawn).toEqual(parts.drawn);
    },
  );

  test('no token where a logit is not finite, and that sequence alone', async () => {
    const [vocabSize, [nan, inf]] = [257, [Number.NaN, Number.POSITIVE_INFINITY]];
    const raw = normal(2 * broken.length * vocabSize, 5, 3);
    for (const [s, { at, cond, uncond }] of broken.entries()) {
      const values = { nan, inf, '-inf': -inf, huge: 3e38, '-huge': -3e38 };
      if (cond) raw[s * vocabSize + at] = values[cond];
      if (uncond) raw[(broken.length + s) * vocabSize + at] = values[uncond];
    }
    const rows = 2 * broken.length;
    const count = broken.length;
    const inputs = {
      raw,
      sequenceTable: packed(
        broken.map(({ how }, seed) => sampling({ seed, cfgScale: 2, ...how })),
        true,
      ),
      rowTable: rowsAt(Array.from({ length: rows }, (_, r) => [r, 1]).flat()),
      drawn: new Uint32Array(count).fill(NOT_DRAWN),
    };
    const sizes = { sequences: count, rows, vocabSize, clsTokenNum };
    const { drawn } = await runKernel(device, sampleToken({ ...sizes, variant }), inputs);
    for (const [s, { name, fine = false, drawn: noted = NO_TOKEN }] of broken.entries()) {
      if (fine) expect(drawn![s], name).toBeLessThan(vocabSize);
      else expect(drawn![s], name).toBe(noted);
    }
  });
});
