/** The page's side: a worker with a model, as functions. */
import { EventQueue } from '../../engine/event-queue.ts';
import { DeviceError } from '../../errors.ts';
import { VERSION } from '../../version.ts';
import type { ModelSource, StoredModel } from '../store/types.ts';
import { type Caller, callOver, type Endpoint } from './channel.ts';
import type {
  AdapterView,
  DeviceOptions,
  DrawEvent,
  DrawRequest,
  LoadProgress,
  ModelEstimate,
  ModelView,
  StoreView,
} from './protocol.ts';

/** What can be aborted; it then rejects with the signal's reason at once. */
export interface ClientOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface ClientLoadOptions extends ClientOptions, DeviceOptions {
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /**
   * Called with a line that a user should see, such as that the model is kept in memory only; `isPassing` where
   * it says what is going on just now, such as that another tab is waited for.
   */
  readonly onNote?: ((note: string, isPassing?: boolean) => void) | undefined;
  /** Called when the model before went to make room: nothing can be drawn until the load ends. */
  readonly onClosed?: (() => void) | undefined;
}

/**
 * A worker that draws. What goes wrong there rejects here, with an error of the same class: OptionError,
 * WeightsError, DeviceError, DownloadError.
 */
export interface WorkerClient {
  /**
   * Opens the adapter, unless it is open.
   * @throws DeviceError (`no-adapter`) that says why there is none.
   */
  adapter(): Promise<AdapterView>;
  /** What a model takes, and whether this device can hold it, before its weights are fetched. */
  estimate(source: ModelSource, options?: ClientOptions): Promise<ModelEstimate>;
  /**
   * Loads a model in the place of the one before, which draws until then, and stays where loading fails; where
   * the device has no room for both it goes first (`onClosed`), and is gone where loading fails. Its files are
   * kept by the browser, so that it is downloaded once; a download that was stopped goes on where it was. One
   * that is aborted may be done already: `model` tells.
   */
  load(source: ModelSource, options?: ClientLoadOptions): Promise<ModelView>;
  /** The model that draws; undefined where there is none. */
  model(): Promise<ModelView | undefined>;
  /**
   * Draws an image by the model that was loaded last. Many at once run side by side. To leave the loop over
   * its events, or to abort the signal, takes it out. A device that is lost is opened again, and the image
   * goes on (`resumed`) to the same pixels; where that cannot be, it ends with a DeviceError, and the next image
   * tries anew.
   */
  draw(request: DrawRequest, options?: ClientOptions): AsyncIterableIterator<DrawEvent>;
  /** Where models are kept, and how many bytes. */
  store(): Promise<StoreView>;
  /** Models that are kept, those that were cut included. */
  models(): Promise<readonly StoredModel[]>;
  /** Forgets a model that is kept; one that is loaded still draws. */
  remove(id: string): Promise<void>;
  /** Loses the device as if something outside had taken it: for tests of what an app does then. */
  loseDevice(): Promise<void>;
  /** Ends the worker, and with it all that runs. */
  close(): void;
}

/** A worker, or a port to one that several pages share. */
export type WorkerLike = Endpoint & Partial<Pick<Worker, 'terminate'> & Pick<MessagePort, 'close'>>;

/**
 * Connects to a worker that has called `serveWorker`:
 *
 *     // worker.ts
 *     import { serveWorker } from 'llamagen-webgpu/web/worker';
 *     serveWorker();
 *
 *     // page.ts
 *     import { connectWorker } from 'llamagen-webgpu/web/worker';
 *     // In one expression, which bundlers look for.
 *     const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
 *     const client = await connectWorker(worker);
 *     await client.load({ url: '/models/fruits-96' });
 *     for await (const event of client.draw({ classIndex: 14, seed: 1, previewEvery: 36 })) {
 *       if (event.type === 'preview' || event.type === 'image') show(event.picture);
 *     }
 *     client.close();
 *
 * @throws Error when the worker's script fails or is of another version than the page's.
 */
export async function connectWorker(worker: WorkerLike): Promise<WorkerClient> {
  const caller = callOver(worker);
  const fail = (event: Event): void => caller.close(new Error(reasonOf(event)));
  for (const type of ['error', 'messageerror']) worker.addEventListener(type as 'message', fail);
  if (typeof MessagePort === 'function' && worker instanceof MessagePort) worker.start();
  const version = await caller.call('hello', undefined);
  if (version !== VERSION) {
    throw new Error(`the page is of version ${VERSION} and its worker of ${version}: reload it`);
  }
  return {
    adapter: () => caller.call('adapter', undefined),
    estimate: (source, { signal } = {}) => caller.call('estimate', absolute(source), { signal }),
    load: (source, { signal, onProgress, onNote, onClosed, ...options } = {}) =>
      caller.call(
        'load',
        { source: absolute(source), ...options },
        {
          signal,
          onTold: (told) => {
            if (typeof told === 'string') onNote?.(told);
            else if (told.phase === 'passing') onNote?.(told.note, true);
            else if (told.phase === 'closed') onClosed?.();
            else onProgress?.(told);
          },
        },
      ),
    model: () => caller.call('model', undefined),
    draw: (request, { signal } = {}) => eventsOf(caller, request, signal),
    store: () => caller.call('store', undefined),
    models: () => caller.call('models', undefined),
    remove: (id) => caller.call('remove', id),
    loseDevice: () => caller.call('loseDevice', undefined),
    close() {
      caller.close(new DeviceError('destroyed', 'the worker was closed: connect to another'));
      worker.terminate?.();
      worker.close?.();
    },
  };
}

const reasonOf = (event: Event): string =>
  'message' in event && event.message
    ? `the worker failed: ${event.message}`
    : 'the worker cannot be started: its script is missing, or the page may not run it';

/** Addresses are relative to the page, and not to the script of the worker. */
function absolute(source: ModelSource): ModelSource {
  if (!('url' in source)) return source;
  return { url: new URL(source.url, globalThis.location?.href).href };
}

function eventsOf(
  caller: Caller,
  request: DrawRequest,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<DrawEvent> {
  const left = new AbortController();
  const events = new EventQueue<DrawEvent>(() => left.abort());
  const isCount = ({ type }: DrawEvent): boolean => type === 'tokens';
  caller
    .call('draw', request, {
      signal: signal ? AbortSignal.any([signal, left.signal]) : left.signal,
      // Counts that nobody took make way for the latest, as in an engine.
      onTold: (event) => events.push(event, (latest) => isCount(event) && isCount(latest)),
    })
    .then(
      () => events.end(),
      (error: unknown) => events.fail(error),
    );
  return events;
}
