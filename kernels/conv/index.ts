/** Convolutions and the rest of the image tokenizer. */
export * from './conv-direct.ts';
export * from './conv-few.ts';
export * from './conv-halves.ts';
export * from './conv2d.ts';
export * from './conv2d-parts.ts';
export * from './halves-of-filter.ts';
export * from './halves-of-map.ts';
export * from './spatial-mix.ts';
export * from './spatial-scores.ts';
export * from './sum-parts.ts';
export * from './texture-rows.ts';
export * from './to-rgba.ts';
export * from './winograd-filter.ts';
export * from './winograd-input.ts';
export * from './winograd-output.ts';
export * from './winograd-product.ts';
