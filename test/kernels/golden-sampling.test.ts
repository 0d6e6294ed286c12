/** The sampler's filters against the official top_k_top_p_filtering and softmax. */
import { describe, expect, test } from 'vitest';
import { filterLogits } from '../../kernels/filter-logits.ts';
import type { Variant } from '../../kernels/kernel.ts';
import { packSampling, type Sampling } from '../../kernels/lib/sampling.ts';
import { expectClose } from '../oracle/compare.ts';
import { testDevice } from '../support/device.ts';
import { type GoldenCase, loadGolden } from '../support/golden-case.ts';
import { runKernel } from '../support/run-kernel.ts';
import { sampling } from '../support/sampling.ts';
import { deviceVariants, F32_VARIANTS } from '../support/variants.ts';

const device = await testDevice();

interface Combo {
  readonly tag: string;
  readonly temperature: number;
  readonly top_k: number;
  readonly top_p: number;
  /** Tokens that survive, also those whose probability is too small for f32. */
  readonly n_unfiltered: number;
  /** The cut of top-p falls between equal logits: which of them stay is then up to the sort. */
  readonly cut_inside_tie: boolean;
  readonly greedy_index: number;
  readonly greedy_unique: boolean;
}

type SampleCase = GoldenCase<{ readonly vocab_size: number; readonly combos: readonly Combo[] }>;

/** Probabilities below this may be flushed to zero. */
const TINY = 2 ** -126;

async function filter(
  { config, tensor }: SampleCase,
  settings: readonly Sampling[],
  variant: Variant,
): Promise<Float32Array[]> {
  const { vocab_size: vocabSize } = config;
  const logits = tensor('logits').data;
  const sequences = settings.length;
  const { probs } = await runKernel(device, filterLogits({ sequences, vocabSize, variant }), {
    logits: settings.flatMap(() => [...logits]),
    sampling: packSampling(settings),
  });
  return settings.map((_, s) =>
    Float32Array.from(probs!.subarray(s * vocabSize, (s + 1) * vocabSize)),
  );
}

/** The stored distribution, spread over the whole vocabulary. */
function expectedProbs({ config, tensor, has }: SampleCase, tag: string): Float32Array {
  const { data } = tensor(`${tag}.prob`);
  const probs = new Float32Array(config.vocab_size);
  const indices = has(`${tag}.idx`) ? tensor(`${tag}.idx`).data : probs.keys();
  for (const [i, token] of [...indices].entries()) probs[token] = data[i]!;
  return probs;
}

const support = (probs: ArrayLike<number>, above = 0): number[] =>
  Array.from(probs, (p, t) => (p > above ? t : -1)).filter((t) => t >= 0);

const settingsOf = ({ temperature, top_k: topK, top_p: topP }: Combo): Sampling =>
  sampling({ temperature, topK, topP });

describe.each([...deviceVariants(device, F32_VARIANTS)])('$reduce', (variant) => {
  describe.each([
    'sample_v257_random',
    'sample_v257_peaked',
    'sample_v257_ties',
    'sample_v257_equal',
    'sample_v257_extreme',
    'sample_v16384_random',
    'sample_v16384_ties',
    'sample_v16384_extreme',
  ])('%s', (name) => {
    const golden: SampleCase = loadGolden(name);
    const { combos } = golden.config;

    test('probabilities of every combination', async () => {
      const got = await filter(golden, combos.map(settingsOf), variant);
      for (const [i, combo] of combos.entries()) {
        const what = JSON.stringify(combo);
        const [probs, expected] = [got[i]!, expectedProbs(golden, combo.tag)];
        const tolerance = { nmse: 1e-8, max: golden.atol(`${combo.tag}.prob`) };
        if (combo.cut_inside_tie) {
          expect(support(probs), what).toHaveLength(combo.n_unfiltered);
          expectClose(what, probs.sort(), expected.sort(), tolerance);
        } else {
          expect(support(probs, TINY), what).toEqual(support(expected, TINY));
          expectClose(what, probs, expected, tolerance);
        }
      }
    });

    test('greedy takes the maximum, the first if there are several', async () => {
      const settings = combos.map((combo) => ({ ...settingsOf(combo), greedy: true }));
      const logits = Array.from(golden.tensor('logits').data);
      const first = logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
      for (const [i, probs] of (await filter(golden, settings, variant)).entries()) {
        expect(support(probs)).toEqual([first]);
        if (combos[i]!.greedy_unique) expect(combos[i]!.greedy_index).toBe(first);
      }
    });
  });
});
