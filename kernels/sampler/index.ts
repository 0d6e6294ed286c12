/** From logits to tokens. */
export * from './advance.ts';
export * from './draw-token.ts';
export { GIVEN, NOT_DRAWN } from './drawn.ts';
export * from './filter-logits.ts';
export * from './guidance.ts';
export * from './sample-token.ts';
export { type DrawingSequence, packSequences, type Sampling } from './sequence-table.ts';
export {
  type ProgressLine,
  packStart,
  packWindows,
  progressOf,
  type Window,
} from './window-table.ts';
