/**
 * `llamagen-webgpu/web/worker`: models in a worker, so that a page never waits for them. `serveWorker` in the
 * script of the worker, `connectWorker` in the page.
 */

export type { ModelSource, StoredModel } from '../store/types.ts';
export {
  type ClientLoadOptions,
  type ClientOptions,
  connectWorker,
  type WorkerClient,
  type WorkerLike,
} from './client.ts';
export type { WorkerDevice } from './devices.ts';
export type {
  AdapterView,
  DeviceOptions,
  DrawEvent,
  DrawRequest,
  GivenPicture,
  LoadProgress,
  ModelEstimate,
  ModelView,
  StoreView,
} from './protocol.ts';
export { type ServeOptions, serveWorker } from './serve.ts';
