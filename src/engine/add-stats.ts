/** What several engines have done, one after another, as that of one. Pure. */
import type { EngineStats } from './engine-types.ts';

export const NO_STATS: EngineStats = {
  ...{ steps: 0, chunks: 0, encodeMs: 0, scheduleMs: 0 },
  ...{ rowsComputed: 0, rowsFull: 0, tokens: 0, images: 0 },
};

export const addStats = (a: EngineStats, b: EngineStats): EngineStats => ({
  steps: a.steps + b.steps,
  chunks: a.chunks + b.chunks,
  encodeMs: a.encodeMs + b.encodeMs,
  scheduleMs: a.scheduleMs + b.scheduleMs,
  rowsComputed: a.rowsComputed + b.rowsComputed,
  rowsFull: a.rowsFull + b.rowsFull,
  tokens: a.tokens + b.tokens,
  images: a.images + b.images,
});
