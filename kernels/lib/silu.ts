/** SiLU, as WGSL. */

/** `fn silu(v: vec4f) -> vec4f`: v * sigmoid(v). Source: torch.nn.functional.silu. */
export const siluLib: string = 'fn silu(v: vec4f) -> vec4f { return v / (1.0 + exp(-v)); }';
