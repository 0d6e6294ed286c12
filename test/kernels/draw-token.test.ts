import { describe, expect, test } from 'vitest';
import type { Variant } from '../../kernels/kernel.ts';
import { NO_TOKEN } from '../../kernels/lib/finite.ts';
import { NO_ROW } from '../../kernels/lib/row-table.ts';
import { type DrawTokenParams, drawToken } from '../../kernels/sampler/draw-token.ts';
import { GIVEN, NOT_DRAWN } from '../../kernels/sampler/drawn.ts';
import type { Sampling } from '../../kernels/sampler/sequence-table.ts';
import * as oracle from '../oracle/draw-token.ts';
import { filterLogits } from '../oracle/filter-logits.ts';
import { chiSquarePValue } from '../support/chi-square.ts';
import { testDevice } from '../support/device.ts';
import { rowsAt } from '../support/places.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { ALL_GIVEN, drawing, packed, sampling } from '../support/sampling.ts';
import { deviceVariants, VARIANTS } from '../support/variants.ts';

const device = await testDevice();

/** Every sequence at a step of its own, rows in the order of slots. */
const rowsOf = (steps: readonly number[], halves: number, clsTokenNum = 1): Uint32Array =>
  rowsAt(
    Array.from({ length: halves }, (_, half) =>
      steps.flatMap((step, s) => [half * steps.length + s, step + clsTokenNum - 1]),
    ).flat(),
  );

/** Draws one token for each sequence; all see the same distribution, at step 0 unless given. */
async function draw(
  probs: ArrayLike<number>,
  settings: readonly Sampling[],
  { variant, steps = settings.map(() => 0) }: { variant: Variant; steps?: readonly number[] },
): Promise<number[]> {
  const [sequences, vocabSize] = [settings.length, probs.length];
  const params = { sequences, rows: sequences, vocabSize };
  const { drawn } = await runKernel(device, drawToken({ ...params, clsTokenNum: 1, variant }), {
    probs: settings.flatMap(() => Array.from(probs)),
    sequenceTable: packed(settings),
    rowTable: rowsOf(steps, 1),
    drawn: new Uint32Array(sequences).fill(NOT_DRAWN),
  });
  return Array.from(drawn!);
}

const seeds = (n: number, from = 0): Sampling[] =>
  Array.from({ length: n }, (_, i) => sampling({ seed: from + i }));

const softmaxOf = (vocabSize: number, std: number): Float64Array =>
  filterLogits(normal(vocabSize, vocabSize, std), sampling());

describe.each([...deviceVariants(device, VARIANTS)])('$reduce', (variant) => {
  test('tokens as the oracle has them, for both halves of the batch', async () => {
    for (const halves of [1, 2]) {
      const params: DrawTokenParams = {
        sequences: 4,
        rows: 4 * halves,
        vocabSize: 70,
        clsTokenNum: 3,
      };
      const inputs = {
        probs: Array.from({ length: 4 }, () => [...softmaxOf(70, 1)]).flat(),
        // Sequence 2 stands nowhere, the tokens of sequence 3 were given.
        rowTable: rowsOf([0, 8, 9, 4], halves, 3).with(4 * 2 + 1, NO_ROW),
        drawn: Uint32Array.from({ length: 4 }, (_, i) => 100 + i),
      };
      const settings = seeds(4, 7).map((s, i) => ({ ...s, given: i === 3 ? ALL_GIVEN : 0 }));
      const got = await runKernel(device, drawToken({ ...params, variant }), {
        ...inputs,
        sequenceTable: packed(settings, halves === 2),
      });
      const sequences = drawing(settings, halves === 2);
      expect([...got.drawn!]).toEqual([...oracle.drawToken(params, { ...inputs, sequences })]);
      expect([...got.drawn!.subarray(2)]).toEqual([102, GIVEN]);
    }
  });

  test('no token where a probability is not finite or none is above zero', async () => {
    const vocabSize = 257;
    const fine = [...softmaxOf(vocabSize, 1)];
    const rows = [
      fine,
      fine.with(256, Number.NaN), // alone in the last, short group of four
      fine.with(0, Number.POSITIVE_INFINITY),
      Array(vocabSize).fill(0),
    ];
    const params = { sequences: 4, rows: 8, vocabSize, clsTokenNum: 1 };
    const { drawn } = await runKernel(device, drawToken({ ...params, variant }), {
      probs: rows.flat(),
      rowTable: rowsOf([0, 1, 2, 3], 2),
      drawn: new Uint32Array(4).fill(99),
      sequenceTable: packed(seeds(4, 7), true),
    });
    expect(drawn![0]).toBeLessThan(vocabSize);
    expect([...drawn!.subarray(1)]).toEqual(Array(3).fill(NO_TOKEN));
  });

  test('a draw does not depend on the batch', async () => {
    const probs = softmaxOf(1000, 1);
    const alone = await draw(probs, seeds(1, 42), { variant, steps: [3] });
    for (const [size, at] of [
      [2, 1],
      [5, 0],
      [17, 11],
    ] as const) {
      const settings = seeds(size, 100).map((s, i) => (i === at ? sampling({ seed: 42 }) : s));
      const got = await draw(probs, settings, { variant, steps: settings.map(() => 3) });
      expect(got[at], `place ${at} of ${size}`).toBe(alone[0]);
    }
  });

  test('seed and step change the draw, also seeds that differ above 32 bits alone', async () => {
    const probs = new Float32Array(16384).fill(1 / 16384);
    const settings = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 52, 2 ** 53 - 1, 0, 0].map((seed) =>
      sampling({ seed }),
    );
    const got = await draw(probs, settings, { variant, steps: [0, 0, 0, 0, 0, 0, 1, 15] });
    expect(new Set(got).size).toBe(settings.length);
  });

  test('a token of probability 1 is always drawn, one of probability 0 never', async () => {
    const only = new Float32Array(257);
    only[256] = 1;
    const sure = await draw(only, seeds(256), { variant });
    expect(new Set(sure)).toEqual(new Set([256]));
    const few = new Float32Array(257);
    for (const token of [3, 130, 255]) few[token] = 1 / 3;
    const got = await draw(few, seeds(1024), { variant });
    expect([...new Set(got)].sort((a, b) => a - b)).toEqual([3, 130, 255]);
  });
});

/** Below this, chance is no explanation: it would fail one run in a million. */
const P_VALUE = 1e-6;
const DRAWS = 20480;
/** Sequences of a dispatch. */
const BATCH = 5120;

describe('draws follow the distribution (chi-square)', () => {
  const [variant] = deviceVariants(device, VARIANTS);

  test.each([
    { name: 'uniform', probs: new Float64Array(97).fill(1 / 97) },
    { name: 'peaked', probs: filterLogits([6, 3, 2, 2, 1, 0, -1], sampling()) },
    {
      name: 'long tail',
      probs: filterLogits(
        Array.from({ length: 200 }, (_, t) => -2 * Math.log(t + 1)),
        sampling(),
      ),
    },
    { name: 'top-k of many', probs: filterLogits(normal(257, 1, 2), sampling({ topK: 20 })) },
  ])('$name', async ({ probs }) => {
    const counts = new Float64Array(probs.length);
    for (let first = 0; first < DRAWS; first += BATCH) {
      for (const token of await draw(probs, seeds(BATCH, first), { variant: variant! })) {
        counts[token]! += 1;
      }
    }
    expect(chiSquarePValue(counts, probs)).toBeGreaterThan(P_VALUE);
  });

  test('from step to step of one seed, too', async () => {
    const probs = filterLogits(normal(16, 2, 1), sampling());
    const steps = Array.from({ length: 2560 }, (_, step) => step);
    const tokens: number[] = [];
    for (const own of seeds(8)) {
      const settings = steps.map(() => own);
      tokens.push(...(await draw(probs, settings, { variant: variant!, steps })));
    }
    const counts = new Float64Array(16);
    for (const token of tokens) counts[token]! += 1;
    expect(chiSquarePValue(counts, probs)).toBeGreaterThan(P_VALUE);
  });
});
