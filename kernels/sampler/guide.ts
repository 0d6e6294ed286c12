/** Classifier-free guidance of four logits, as WGSL. */

/**
 * `struct Own` and `fn own_of(settings: Sequence, step: u32) -> Own`: what guidance does to a sequence that
 * is about to draw token `step`. The official decode loop counts from the second token, so tokens
 * 0 .. cfgInterval + 1 are guided. `fn guided_at(own: Own, i: u32) -> vec4f`: the guided logits 4i .. 4i+3
 * of the binding `logits` [rows, vocabSize], which has a `rowReader`. Both rows are read before it is known
 * which are needed: a branch between would wait for memory twice.
 */
export const guideLib = (logits: string): string => `
// The rows that logits are taken from, twice the same where there is no guidance.
struct Own { cond: u32, uncond: u32, scale: f32 }
fn own_of(settings: Sequence, step: u32) -> Own {
  let in_time = settings.cfg_interval < 0 || i32(step) - 1 <= settings.cfg_interval;
  let guided = settings.uncond_row != NO_ROW && settings.cfg_scale > 1.0 && in_time;
  return Own(settings.row, select(settings.row, settings.uncond_row, guided), settings.cfg_scale);
}
fn guided_at(own: Own, i: u32) -> vec4f {
  let cond = ${logits}_at(own.cond, i);
  let uncond = ${logits}_at(own.uncond, i);
  return select(uncond + (cond - uncond) * own.scale, cond, own.uncond == own.cond);
}`;
