/** Sampling settings for tests. */
import type { Sampling } from '../../kernels/sampler/sampling.ts';

/** Plain sampling, nothing filtered and nothing guided, except for what is given. */
export const sampling = (settings: Partial<Sampling> = {}): Sampling => ({
  seed: 0,
  cfgScale: 1,
  cfgInterval: -1,
  temperature: 1,
  topK: 0,
  topP: 1,
  greedy: false,
  forced: false,
  ...settings,
});
