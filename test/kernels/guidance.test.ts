import { describe, expect, test } from 'vitest';
import { type GuidanceParams, guidance } from '../../kernels/sampler/guidance.ts';
import { packSequences, type Sampling } from '../../kernels/sampler/sequence-table.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/guidance.ts';
import { testDevice } from '../support/device.ts';
import { rowsAt } from '../support/places.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { drawing, packed, sampling } from '../support/sampling.ts';

const device = await testDevice();

/** Three f32 roundings a value; guided logits reach about 100. */
const TOLERANCE = { nmse: 1e-13, max: 5e-5 };

/** `steps[s]` is the number of the token that sequence s is about to draw. */
async function run(
  sizes: Omit<GuidanceParams, 'rows'>,
  settings: readonly Sampling[],
  steps: readonly number[],
): Promise<{ got: readonly number[]; cond: readonly number[]; expected: Float64Array }> {
  const { sequences, vocabSize, clsTokenNum } = sizes;
  const params = { ...sizes, rows: 2 * sequences };
  const half = steps.flatMap((step, s) => [s, step + clsTokenNum - 1]);
  const logits = normal(2 * sequences * vocabSize, 1, 4);
  const rowTable = rowsAt([...half, ...half]);
  const { out } = await runKernel(device, guidance(params), {
    ...{ logits, rowTable, sequenceTable: packed(settings, true) },
  });
  const given = { logits, rowTable, sequences: drawing(settings, true) };
  const expected = oracle.guidance(params, given);
  return { got: [...out!], cond: [...logits.subarray(0, sequences * vocabSize)], expected };
}

test.each([1, 0.5, 0, -3])(
  'a scale of %d gives the conditional logits, bit for bit',
  async (cfgScale) => {
    const params = { sequences: 1, vocabSize: 70, clsTokenNum: 1 };
    const { got, cond } = await run(params, [sampling({ cfgScale })], [0]);
    expect(got).toEqual(cond);
  },
);

describe('cfgInterval', () => {
  const params = { sequences: 9, vocabSize: 6, clsTokenNum: 1 };
  const steps = [0, 1, 2, 3, 5, 6, 7, 8, 255];
  const all = steps.map(() => true);

  test.each([
    { cfgInterval: -1, guided: all },
    { cfgInterval: 0, guided: [true, true, false, false, false, false, false, false, false] },
    { cfgInterval: 1, guided: [true, true, true, false, false, false, false, false, false] },
    { cfgInterval: 5, guided: [true, true, true, true, true, true, false, false, false] },
    { cfgInterval: 2 ** 31 - 1, guided: all },
    { cfgInterval: Number.MAX_SAFE_INTEGER, guided: all },
  ])('$cfgInterval guides tokens 0 .. cfgInterval + 1', async ({ cfgInterval, guided }) => {
    const settings = steps.map(() => sampling({ cfgScale: 4, cfgInterval }));
    const { got, cond, expected } = await run(params, settings, steps);
    expectClose('guidance', got, expected, TOLERANCE);
    const differs = steps.map((_, s) => got[s * 6] !== cond[s * 6]);
    expect(differs).toEqual(guided);
  });

  test('counts image tokens, whatever the number of condition tokens', async () => {
    const settings = steps.map(() => sampling({ cfgScale: 4, cfgInterval: 5 }));
    const one = await run(params, settings, steps);
    const many = await run({ ...params, clsTokenNum: 120 }, settings, steps);
    expect(many.got).toEqual(one.got);
  });
});

test('a sequence without a row for it is not guided, and an idle one is left alone', async () => {
  const [vocabSize, rows] = [8, 3];
  const settings = drawing([sampling({ cfgScale: 3 }), sampling({ cfgScale: 3 })]);
  const sequenceTable = packSequences(
    [
      { ...settings[0]!, row: 2 },
      { ...settings[1]!, row: 1, uncondRow: 0 },
    ],
    3,
  );
  const logits = normal(rows * vocabSize, 1);
  const { out } = await runKernel(
    device,
    guidance({ sequences: 3, rows, vocabSize, clsTokenNum: 1 }),
    { logits, rowTable: rowsAt([0, 4, 1, 4, 2, 4]), sequenceTable },
  );
  expect([...out!.subarray(0, 8)]).toEqual([...logits.subarray(16, 24)]);
  const guided = Array.from(
    { length: 8 },
    (_, t) => logits[t]! + (logits[8 + t]! - logits[t]!) * 3,
  );
  expectClose('guided', out!.subarray(8, 16), Float64Array.from(guided), TOLERANCE);
  expect([...out!.subarray(16)]).toEqual(Array(8).fill(Number.NaN));
});
