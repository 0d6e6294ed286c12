import { describe, expect, test } from 'vitest';
import type { Variant } from '../../kernels/kernel.ts';
import { filterLogits } from '../../kernels/sampler/filter-logits.ts';
import type { Sampling } from '../../kernels/sampler/sequence-table.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/filter-logits.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { packed, sampling } from '../support/sampling.ts';
import { deviceVariants, SAMPLER_VARIANTS, VARIANTS, variantName } from '../support/variants.ts';

const device = await testDevice();

/** An error of 1e-6 in a scaled logit of up to 16 is one of 1e-6 in its probability. */
const TOLERANCE = { nmse: 1e-10, max: 5e-6 };

/** Distributions of the same logits under many settings: one sequence for each. */
async function filter(
  logits: ArrayLike<number>,
  settings: readonly Partial<Sampling>[],
  variant: Variant,
): Promise<Float32Array[]> {
  const [sequences, vocabSize] = [settings.length, logits.length];
  const { probs } = await runKernel(device, filterLogits({ sequences, vocabSize, variant }), {
    logits: settings.flatMap(() => Array.from(logits)),
    sequenceTable: packed(settings.map(sampling)),
  });
  return settings.map((_, s) =>
    Float32Array.from(probs!.subarray(s * vocabSize, (s + 1) * vocabSize)),
  );
}

const indices = (probs: ArrayLike<number>): number[] =>
  Array.from(probs, (p, t) => (p > 0 ? t : -1)).filter((t) => t >= 0);

describe.each(
  deviceVariants(device, SAMPLER_VARIANTS).map(
    (variant) => [variantName(variant), variant] as const,
  ),
)('thresholds, %s', (_, variant) => {
  test('among equal logits, logits of all magnitudes, and ties on both sides of a cut', async () => {
    const vocabSize = 1102;
    const logitsOf = (at: (t: number) => number): number[] =>
      Array.from({ length: vocabSize }, (_, t) => Math.fround(at(t)));
    const equal = logitsOf(() => -0.37);
    // Two signs, all exponents: as far apart as keys can be.
    const wide = logitsOf((t) => (t % 2 === 0 ? 1 : -1) * 2 ** ((t % 250) - 124));
    // 500 near ones, far from the others, which the shares of the range cannot tell apart.
    const near = logitsOf((t) =>
      t < 500 ? 1 + ((t * 7) % 500) * 2 ** -22 : t === 900 ? 3e4 : -3e4,
    );
    // Groups of eleven.
    const groups = logitsOf((t) => -((t * 37) % 100) / 8);
    const cases: readonly (readonly [readonly number[], Partial<Sampling>])[] = [
      [equal, { topK: 1 }],
      [equal, { topP: 0.4999 }],
      [equal, { topK: 700, topP: 0 }],
      ...[1, 2, 551, 552, 1100, 1101].map((topK) => [wide, { topK, temperature: 1e38 }] as const),
      ...[2, 250, 501, 502].map((topK) => [near, { topK }] as const),
      ...[11, 12, 22, 23, 600].map((topK) => [groups, { topK }] as const),
      ...[0.05, 0.3, 0.9].map((topP) => [groups, { topK: 300, topP }] as const),
    ];
    const kernel = filterLogits({ sequences: cases.length, vocabSize, variant });
    const { probs } = await runKernel(device, kernel, {
      logits: cases.flatMap(([logits]) => logits),
      sequenceTable: packed(cases.map(([, how]) => sampling(how))),
    });
    for (const [s, [logits, how]] of cases.entries()) {
      const expected = oracle.filterLogits(logits, sampling(how));
      const got = probs!.subarray(s * vocabSize, (s + 1) * vocabSize);
      const name = `case ${s}, ${JSON.stringify(how)}`;
      expect(indices(got), name).toEqual(indices(expected));
      expectClose(name, got, expected, TOLERANCE);
    }
  });
});

describe.each([...deviceVariants(device, VARIANTS)])('$reduce', (variant) => {
  test('each sequence has its own logits', async () => {
    const [sequences, vocabSize] = [3, 70];
    const logits = normal(sequences * vocabSize, 3, 2);
    const { probs } = await runKernel(device, filterLogits({ sequences, vocabSize, variant }), {
      logits,
      sequenceTable: packed(Array(sequences).fill(sampling({ topK: 9 }))),
    });
    const expected = Array.from({ length: sequences }, (_, s) => [
      ...oracle.filterLogits(
        logits.subarray(s * vocabSize, (s + 1) * vocabSize),
        sampling({ topK: 9 }),
      ),
    ]);
    expectClose('filter_logits', probs!, expected.flat(), TOLERANCE);
  });

  describe('ties', () => {
    /** The three best at 30 .. 32, then twenty equal ones at even indices, then the rest. */
    const logits = Float32Array.from({ length: 300 }, (_, t) => {
      if (t >= 30 && t < 33) return 5;
      return t >= 200 && t < 240 && t % 2 === 0 ? 3 : -1 - t / 1000;
    });
    const tied = Array.from({ length: 20 }, (_, i) => 200 + 2 * i);

    test('at the k-th place all stay', async () => {
      const [one, four, many] = await filter(
        logits,
        [{ topK: 1 }, { topK: 4 }, { topK: 23 }],
        variant,
      );
      expect(indices(one!)).toEqual([30, 31, 32]);
      expect(indices(four!)).toEqual([30, 31, 32, ...tied]);
      expect(indices(many!)).toEqual([30, 31, 32, ...tied]);
      expectClose('equal', one!.subarray(30, 33), [1 / 3, 1 / 3, 1 / 3], TOLERANCE);
    });

    test('at the cut of top-p the lowest indices stay', async () => {
      const cuts = [0, 0.2, 0.27, 0.6, 0.7, 0.78].map((topP) => ({ topP, topK: 23 }));
      const got = await filter(logits, cuts, variant);
      for (const [i, probs] of got.entries()) {
        const expected = oracle.filterLogits(logits, sampling(cuts[i]));
        expect(indices(probs), `top-p ${cuts[i]?.topP}`).toEqual(indices(expected));
        expectClose(`top-p ${cuts[i]?.topP}`, probs, expected, TOLERANCE);
      }
    });

    test('greedy takes the lowest index', async () => {
      const [probs] = await filter(logits, [{ greedy: true }], variant);
      expect(indices(probs!)).toEqual([30]);
    });

    test('zero equals negative zero', async () => {
      const zeros = [-1, -0, 0, -2, -0, 0, -3];
      const [top, greedy, cut] = await filter(
        zeros,
        [{ topK: 1 }, { greedy: true }, { topK: 1, topP: 0.3 }],
        variant,
      );
      expect(indices(top!)).toEqual([1, 2, 4, 5]);
      expect(indices(greedy!)).toEqual([1]);
      expect(indices(cut!)).toEqual([1, 2]);
    });
  });

  describe('temperature', () => {
    test('0 means 1e-5: all but the maximum vanish', async () => {
      const logits = normal(257, 8, 3);
      const [zero, tiny] = await filter(
        logits,
        [{ temperature: 0 }, { temperature: 1e-5 }],
        variant,
      );
      expect(zero).toEqual(tiny);
      expectClose('argmax', zero!, oracle.filterLogits(logits, sampling({ greedy: true })), {
        nmse: 1e-13,
        max: 1e-6,
      });
    });

    test('of large logits neither overflows nor loses digits', async () => {
      // Scaled first, 10000 / 0.7 would be off by 1e-3 in f32.
      const logits = [9999, 9999.5, 10000, -10000];
      const cases = [{ temperature: 0.7 }, { temperature: 0.7, topP: 0.8 }, { temperature: 1e-5 }];
      const got = await filter(logits, cases, variant);
      for (const [i, probs] of got.entries()) {
        const expected = oracle.filterLogits(logits, sampling(cases[i]));
        expectClose(JSON.stringify(cases[i]), probs, expected, TOLERANCE);
      }
      const [huge] = await filter([1e36, 3e38, -3e38], [{ temperature: 0 }], variant);
      expect([...huge!]).toEqual([0, 1, 0]);
    });
  });

  test('minus infinity is never allowed', async () => {
    const logits = [Number.NEGATIVE_INFINITY, 1, Number.NEGATIVE_INFINITY, 2];
    const cases = [{}, { topK: 3 }, { topP: 0.99 }, { greedy: true }];
    const got = await filter(logits, cases, variant);
    expect(got.map(indices)).toEqual([[1, 3], [1, 3], [1, 3], [3]]);
  });

  test('no distribution where a logit is NaN or infinite, or no token is allowed', async () => {
    const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
    const settings = [{}, { topK: 2 }, { topP: 0.9 }, { greedy: true }];
    const lowest = -3.4028234663852886e38;
    const rows = [
      ...[[1, nan, 2, 3, 4], [1, 2, 3, 4, inf], Array(5).fill(-inf)],
      ...[[-inf, 0, -inf, -inf, -inf], Array(5).fill(lowest)],
    ];
    const sequences = rows.length * settings.length;
    const { probs } = await runKernel(device, filterLogits({ sequences, vocabSize: 5, variant }), {
      logits: rows.flatMap((row) => settings.flatMap(() => row)),
      sequenceTable: packed(rows.flatMap(() => settings.map(sampling))),
    });
    for (const [i, row] of rows.entries()) {
      for (const [j, how] of settings.entries()) {
        const at = 5 * (i * settings.length + j);
        const expected = [...oracle.filterLogits(row, sampling(how))];
        const got = [...probs!.subarray(at, at + 5)];
        const name = `${row} ${JSON.stringify(how)}`;
        expect(got.map(Number.isNaN), name).toEqual(expected.map(Number.isNaN));
        // What is left of five equal logits is another matter.
        if (row[0] !== lowest) expect(got, name).toEqual(expected);
      }
    }
  });
});
