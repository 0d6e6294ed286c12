/** Sampling settings for tests. */
import {
  type DrawingSequence,
  packSequences,
  type Sampling,
} from '../../kernels/sampler/sequence-table.ts';

/** Plain sampling, nothing filtered and nothing guided, except for what is given. */
export const sampling = (settings: Partial<Sampling> = {}): Sampling => ({
  seed: 0,
  cfgScale: 1,
  cfgInterval: -1,
  temperature: 1,
  topK: 0,
  topP: 1,
  greedy: false,
  given: 0,
  ...settings,
});

/** More tokens than any grid here has: none is drawn. */
export const ALL_GIVEN: number = 2 ** 20;

/** Sequences in the order of their rows; with guidance, the rows without condition come after all others. */
export const drawing = (settings: readonly Sampling[], guided = false): DrawingSequence[] =>
  settings.map((own, i) => ({
    ...own,
    row: i,
    uncondRow: guided ? settings.length + i : undefined,
  }));

/** The table of `drawing`. */
export const packed = (settings: readonly Sampling[], guided = false): Uint32Array<ArrayBuffer> =>
  packSequences(drawing(settings, guided));
