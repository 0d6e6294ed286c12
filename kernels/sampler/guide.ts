/** Classifier-free guidance of four logits, as WGSL. */

export interface GuideParams {
  /** Name of the logits [rows, vocabSize], with a `rowReader`. */
  readonly logits: string;
}

/**
 * `fn guided_at(settings: Sequence, step: u32, i: u32) -> vec4f`: the guided logits 4i .. 4i+3 of a
 * sequence that is about to draw token `step`. The official decode loop counts from the second token, so
 * tokens 0 .. cfgInterval + 1 are guided.
 */
export const guideLib = ({ logits }: GuideParams): string => `
fn guided_at(settings: Sequence, step: u32, i: u32) -> vec4f {
  let cond = ${logits}_at(settings.row, i);
  let in_time = settings.cfg_interval < 0 || i32(step) - 1 <= settings.cfg_interval;
  if (settings.uncond_row == NO_ROW || settings.cfg_scale <= 1.0 || !in_time) {
    return cond;
  }
  let uncond = ${logits}_at(settings.uncond_row, i);
  return uncond + (cond - uncond) * settings.cfg_scale;
}`;
