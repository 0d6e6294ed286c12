/** GELU in its tanh form, as WGSL. */

/**
 * `fn gelu(v: vec4f) -> vec4f`: v / 2 * (1 + tanh u) with u = sqrt(2 / pi) * (v + 0.044715 v^3), as
 * v / (1 + exp(-2u)), which is the same and cannot make infinity over infinity where v is large.
 * Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415); torch.nn.GELU(approximate='tanh').
 */
export const geluLib: string = `
fn gelu(v: vec4f) -> vec4f {
  return v / (1.0 + exp(${-2 * Math.sqrt(2 / Math.PI)} * (v + 0.044715 * v * v * v)));
}`;
