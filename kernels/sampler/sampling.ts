/** How one sequence is sampled: the layout of the `sampling` buffer, for WGSL and for the host. */
import { assert, type Binding } from '../kernel.ts';

/** Settings of one sequence. */
export interface Sampling {
  /** An integer from 0 to 2^53 - 1. */
  readonly seed: number;
  /** Guidance; 1 or less means the conditional logits alone. */
  readonly cfgScale: number;
  /** Guidance stops after this many decoding steps past the first two tokens; -1 means never. */
  readonly cfgInterval: number;
  readonly temperature: number;
  /** Keep the k most likely tokens, and all that tie with the last of them; 0 keeps all. */
  readonly topK: number;
  /** Keep the most likely tokens until their probabilities pass p; 1 keeps all. */
  readonly topP: number;
  /** Take the first maximum instead of drawing. */
  readonly greedy: boolean;
  /** Leave the token grid as it is: its tokens were given. Where logits are not finite it says so still. */
  readonly forced: boolean;
}

/** 32-bit words for one sequence. */
export const SAMPLING_WORDS = 8;

const GREEDY = 1;
const FORCED = 2;

/** The contents of a `sampling` buffer, u32 [sequences, 8]. */
export function packSampling(sequences: readonly Sampling[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(sequences.length * SAMPLING_WORDS);
  const view = new DataView(words.buffer);
  sequences.forEach((s, i) => {
    const at = i * SAMPLING_WORDS * 4;
    assert(
      Number.isSafeInteger(s.seed) && s.seed >= 0,
      `seed expected 0 .. 2^53 - 1, got ${s.seed}`,
    );
    view.setUint32(at, s.seed % 2 ** 32, true);
    view.setUint32(at + 4, Math.floor(s.seed / 2 ** 32), true);
    view.setFloat32(at + 8, s.cfgScale, true);
    view.setInt32(at + 12, Math.min(s.cfgInterval, 2 ** 31 - 1), true);
    view.setFloat32(at + 16, s.temperature, true);
    view.setUint32(at + 20, Math.min(s.topK, 2 ** 32 - 1), true);
    view.setFloat32(at + 24, s.topP, true);
    view.setUint32(at + 28, (s.greedy ? GREEDY : 0) | (s.forced ? FORCED : 0), true);
  });
  return words;
}

/** The binding `sampling`, u32 [sequences, 8], read as structs by `samplingLib`. */
export const samplingBinding = (sequences: number): Binding<'in'> => ({
  role: 'in',
  dtype: 'u32',
  shape: [sequences, SAMPLING_WORDS],
  element: 'Sampling',
});

/** `struct Sampling` and its flags. */
export const samplingLib: string = `
struct Sampling {
  seed: vec2u,
  cfg_scale: f32,
  cfg_interval: i32,
  temperature: f32,
  top_k: u32,
  top_p: f32,
  flags: u32,
}
const GREEDY = ${GREEDY}u;
const FORCED = ${FORCED}u;`;
