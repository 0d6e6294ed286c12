/** Oracle of `guidance`: uncond + (cond - uncond) * cfgScale while guidance is on. */
import type { GuidanceParams } from '../../kernels/sampler/guidance.ts';
import type { DrawingSequence, Sampling } from '../../kernels/sampler/sequence-table.ts';

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
    readonly rowTable: ArrayLike<number>;
    readonly sequences: readonly DrawingSequence[];
  },
): Float64Array {
  const { logits, rowTable } = inputs;
  const out = new Float64Array(sequences * vocabSize);
  for (const [s, settings] of inputs.sequences.entries()) {
    const { row, uncondRow, cfgScale } = settings;
    // The row at the last condition token makes token 0.
    const step = rowTable[4 * row + 1]! - (clsTokenNum - 1);
    for (let t = 0; t < vocabSize; t++) {
      const cond = logits[row * vocabSize + t]!;
      const uncond = uncondRow === undefined ? cond : logits[uncondRow * vocabSize + t]!;
      const guided = uncond + (cond - uncond) * Math.fround(cfgScale);
      out[s * vocabSize + t] = isGuided(settings, step) ? guided : cond;
    }
  }
  return out;
}
