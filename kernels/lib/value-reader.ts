/** Access to single values of a weight, whatever its dtype. */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';

/** `fn NAME_at(i: u32) -> f32`: element i of the binding NAME, f32 or packed f16. */
export const valueReader = (name: string, dtype: 'f32' | 'f16'): string => wgsl`
#if ${dtype === 'f16'}
fn ${name}_at(i: u32) -> f32 {
  return unpack2x16float(${name}[i >> 1u] >> (16u * (i & 1u))).x;
}
#else
fn ${name}_at(i: u32) -> f32 { return ${name}[i]; }
#endif`;
