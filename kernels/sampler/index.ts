/** From logits to tokens. */
export * from './draw-token.ts';
export * from './filter-logits.ts';
export * from './guidance.ts';
export * from './sample-token.ts';
export { packSampling, type Sampling } from './sampling.ts';
