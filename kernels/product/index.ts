/** Products of rows with weights, and what is fused with them. */

export type { GatedMulBindings, GatedMulParams } from './gated-mul.ts';
export * from './gelu.ts';
export * from './gelu-mul.ts';
export * from './linear.ts';
export * from './linear-parts.ts';
export * from './matmul.ts';
export { type MatrixTexts, matrixConfig } from './matrix-texts.ts';
export * from './rows-product.ts';
export * from './silu-mul.ts';
export * from './sum-rows.ts';
export * from './swiglu.ts';
