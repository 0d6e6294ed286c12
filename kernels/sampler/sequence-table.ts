/** Which rows draw in a pass, and how: the layout of `sequenceTable`, for WGSL and for the host. */
import { assert, type Binding } from '../kernel.ts';
import { NO_ROW } from '../lib/row-table.ts';

/** How a token of one sequence is drawn. */
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
  /** Tokens at the beginning of the grid that are given: nothing is drawn for them. */
  readonly given: number;
}

/** A sequence that draws a token in a pass; one that draws several has an entry for each. */
export interface DrawingSequence extends Sampling {
  /** The row whose logits it draws from. */
  readonly row: number;
  /** The row without condition, for guidance; left out, there is no guidance whatever `cfgScale` says. */
  readonly uncondRow?: number | undefined;
}

/** 32-bit words for one entry; the last is not used. */
export const SEQUENCE_WORDS = 12;

const GREEDY = 1;

/** The contents of a table u32 [count, 12]; entries past those given are idle. */
export function packSequences(
  sequences: readonly DrawingSequence[],
  count: number = sequences.length,
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(count * SEQUENCE_WORDS);
  const view = new DataView(words.buffer);
  for (let i = sequences.length; i < count; i++) words[i * SEQUENCE_WORDS] = NO_ROW;
  sequences.forEach((s, i) => {
    const at = i * SEQUENCE_WORDS * 4;
    assert(
      Number.isSafeInteger(s.seed) && s.seed >= 0,
      `seed expected 0 .. 2^53 - 1, got ${s.seed}`,
    );
    view.setUint32(at, s.row, true);
    view.setUint32(at + 4, s.uncondRow ?? NO_ROW, true);
    view.setUint32(at + 8, s.given, true);
    view.setUint32(at + 12, s.greedy ? GREEDY : 0, true);
    view.setUint32(at + 16, s.seed % 2 ** 32, true);
    view.setUint32(at + 20, Math.floor(s.seed / 2 ** 32), true);
    view.setFloat32(at + 24, s.cfgScale, true);
    view.setInt32(at + 28, Math.min(s.cfgInterval, 2 ** 31 - 1), true);
    view.setFloat32(at + 32, s.temperature, true);
    view.setUint32(at + 36, Math.min(s.topK, 2 ** 32 - 1), true);
    view.setFloat32(at + 40, s.topP, true);
  });
  return words;
}

/** The binding `sequenceTable`, u32 [sequences, 12], read as structs by `sequenceLib`. */
export const sequenceTableBinding = (sequences: number): Binding<'in'> => ({
  role: 'in',
  dtype: 'u32',
  shape: [sequences, SEQUENCE_WORDS],
  element: 'Sequence',
});

/** `struct Sequence` and its flags, declared before the bindings. */
export const sequenceLib: string = `
struct Sequence {
  row: u32,
  uncond_row: u32,
  given: u32,
  flags: u32,
  seed: vec2u,
  cfg_scale: f32,
  cfg_interval: i32,
  temperature: f32,
  top_k: u32,
  top_p: f32,
}
const NO_ROW = ${NO_ROW}u;
const GREEDY = ${GREEDY}u;`;
