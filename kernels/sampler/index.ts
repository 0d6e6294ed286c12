/** From logits to tokens. */
export * from './advance.ts';
export * from './draw-token.ts';
export * from './filter-logits.ts';
export * from './guidance.ts';
export * from './sample-token.ts';
export { type DrawingSequence, packSequences, type Sampling } from './sequence-table.ts';
