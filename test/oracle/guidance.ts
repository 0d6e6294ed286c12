/** Oracle of `guidance`: uncond + (cond - uncond) * cfgScale while guidance is on. */
import type { GuidanceParams } from '../../kernels/sampler/guidance.ts';
import type { Sampling } from '../../kernels/sampler/sampling.ts';

/**
 * Whether token number `step` of an image is guided. The official loop draws token 0 from the
 * prefill, always guided, then counts i = 0, 1, ... and stops guiding once i > cfgInterval.
 */
export function isGuided({ cfgScale, cfgInterval }: Sampling, step: number): boolean {
  if (cfgScale <= 1) return false;
  if (step === 0 || cfgInterval < 0) return true;
  return step - 1 <= cfgInterval;
}

export function guidance(
  { sequences, vocabSize, clsTokenNum }: GuidanceParams,
  inputs: {
    readonly logits: ArrayLike<number>;
    readonly place: ArrayLike<number>;
    readonly sampling: readonly Sampling[];
  },
): Float64Array {
  const { logits, place, sampling } = inputs;
  const out = new Float64Array(sequences * vocabSize);
  for (let s = 0; s < sequences; s++) {
    // The row at the last condition token makes token 0.
    const step = place[2 * s + 1]! - (clsTokenNum - 1);
    for (let t = 0; t < vocabSize; t++) {
      const cond = logits[s * vocabSize + t]!;
      const uncond = logits[(sequences + s) * vocabSize + t]!;
      const { cfgScale } = sampling[s]!;
      const guided = uncond + (cond - uncond) * Math.fround(cfgScale);
      out[s * vocabSize + t] = isGuided(sampling[s]!, step) ? guided : cond;
    }
  }
  return out;
}
