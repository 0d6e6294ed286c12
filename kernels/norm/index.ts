/** Normalisations. */
export * from './group-affine.ts';
export * from './group-moments.ts';
export * from './group-norm.ts';
export * from './rms-norm.ts';
export * from './softmax-rows.ts';
