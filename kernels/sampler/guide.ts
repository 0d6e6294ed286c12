/** Classifier-free guidance of four logits, as WGSL. */

export interface GuideParams {
  /** Name of the logits [2 * sequences, vocabSize], with a `rowReader`. */
  readonly logits: string;
  readonly sequences: number;
  /** Condition tokens before the first image token. */
  readonly clsTokenNum: number;
}

/**
 * Statements that make NAME (vec4f) the guided logits 4i .. 4i+3 of `sequence` with settings `how`. The
 * official decode loop counts from the second token, so tokens 0 .. cfgInterval + 1 are guided.
 */
export const guide = (name: string, { logits, sequences, clsTokenNum }: GuideParams): string => `
  let at = i32(place[sequence].y) - ${clsTokenNum - 1};
  let guided = how.cfg_scale > 1.0 && (how.cfg_interval < 0 || at - 1 <= how.cfg_interval);
  let cond = ${logits}_at(sequence, i);
  let uncond = ${logits}_at(sequence + ${sequences}u, i);
  let ${name} = select(cond, uncond + (cond - uncond) * how.cfg_scale, guided);`;
