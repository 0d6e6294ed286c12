/** Sampling cases: the distribution that is left after temperature, top-k and top-p. */
import { filterLogits } from '../../kernels/sampler/filter-logits.ts';
import { variantOf } from '../../src/gpu/variants.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import { runKernel } from '../support/run-kernel.ts';
import { packed } from '../support/sampling.ts';
import { type GoldenCase, tensorOf } from './case.ts';
import { type Check, judge } from './check.ts';

interface Combo {
  readonly tag: string;
  readonly temperature: number;
  readonly top_k: number;
  readonly top_p: number;
  readonly n_nonzero: number;
  readonly cut_inside_tie: boolean;
  readonly greedy_index: number;
  readonly greedy_unique: boolean;
}

/** All combinations of a case are sequences of one dispatch; greedy twins follow. */
export async function runSampling(
  device: GPUDevice,
  golden: GoldenCase,
  options: PrecisionOptions = {},
): Promise<Check[]> {
  const combos = golden.config.combos as readonly Combo[];
  const logits = tensorOf(golden, 'logits').data;
  const vocabSize = logits.length;
  const settings = [false, true].flatMap((greedy) =>
    combos.map(({ temperature, top_k: topK, top_p: topP }) => {
      const rest = { seed: 0, cfgScale: 1, cfgInterval: -1, given: 0 };
      return { ...rest, temperature, topK, topP, greedy };
    }),
  );
  const variant = { ...variantOf(device), ...options.variant };
  const kernel = filterLogits({ sequences: settings.length, vocabSize, variant });
  const { probs } = await runKernel(device, kernel, {
    logits: settings.flatMap(() => [...logits]),
    sequenceTable: packed(settings),
  });
  if (!probs) throw new Error('filter_logits gave no probabilities');
  const row = (i: number): ArrayLike<number> => probs.subarray(i * vocabSize, (i + 1) * vocabSize);
  return combos.flatMap((combo, i) => [
    ...checkProbs(golden, combo, Array.from(row(i))),
    ...checkGreedy(combo, Array.from(row(combos.length + i))),
  ]);
}

function checkProbs(golden: GoldenCase, combo: Combo, probs: readonly number[]): Check[] {
  const { tag } = combo;
  const atol = golden.atol(`${tag}.prob`);
  const kept = probs.flatMap((p, i) => (p > 0 ? [i] : []));
  const all = Array.from(probs.keys());
  const expectedIndex = [...(golden.expected.get(`${tag}.idx`)?.data ?? all)];
  const expectedProb = [...tensorOf(golden, `${tag}.prob`).data];
  // Probabilities too small for a float are 0 here and tiny there; they count as absent in both.
  const real = expectedIndex.filter((_, i) => (expectedProb[i] ?? 0) >= 1e-37);
  const gotIndex = kept.filter((i) => (probs[i] ?? 0) >= 1e-37);
  if (combo.cut_inside_tie) {
    const down = (a: number, b: number): number => b - a;
    return [
      judge(`${tag}.count`, [gotIndex.length], [real.length], 0),
      judge(
        `${tag}.prob`,
        gotIndex.map((i) => probs[i] ?? 0).sort(down),
        expectedProb.filter((p) => p >= 1e-37).sort(down),
        atol,
      ),
    ];
  }
  return [
    judge(`${tag}.idx`, gotIndex, real, 0),
    judge(
      `${tag}.prob`,
      expectedIndex.map((i) => probs[i] ?? 0),
      expectedProb,
      atol,
    ),
  ];
}

function checkGreedy(
  { tag, greedy_index, greedy_unique }: Combo,
  probs: readonly number[],
): Check[] {
  if (!greedy_unique) return [];
  return [judge(`${tag}.greedy`, [probs.indexOf(1)], [greedy_index], 0)];
}
