/** The engine: requests in, events out. */
export {
  createEngine,
  type Engine,
  type EngineOptions,
  type EngineStats,
  type SubmitOptions,
} from './engine.ts';
export type { EngineEvent, ImageRequest } from './request.ts';
