/** The engine: requests in, events out. */
export { createEngine } from './engine.ts';
export type {
  Engine,
  EngineLoad,
  EngineOptions,
  EngineStats,
  SubmitOptions,
} from './engine-types.ts';
export { createLastingEngine } from './lasting.ts';
export type {
  LastingEngine,
  LastingEvent,
  LastingOptions,
  Loss,
  OpenedModel,
  OpenModel,
} from './lasting-types.ts';
export type { EngineEvent, ImageRequest } from './request.ts';
