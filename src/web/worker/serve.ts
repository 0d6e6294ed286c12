/** The worker's side: a device, a model, and pictures for whoever asks. */
import { VERSION } from '../../version.ts';
import { openWebDevice } from '../device.ts';
import type { HubOptions } from '../store/hub-origin.ts';
import { openModelStore } from '../store/store.ts';
import type { ModelStore } from '../store/types.ts';
import { type Answers, answerOver, type Endpoint } from './channel.ts';
import { CurrentModel } from './current-model.ts';
import { Devices, type WorkerDevice } from './devices.ts';
import type { DrawingModel } from './drawing-model.ts';
import type { AdapterView, DrawEvent, LoadProgress } from './protocol.ts';

export interface ServeOptions {
  /** Opens a device: at first need, and again whenever it was lost. Default `openWebDevice`. */
  readonly openDevice?: (() => Promise<WorkerDevice>) | undefined;
  /** Where models of the hub come from. Default: Hugging Face's, without a token. */
  readonly hub?: HubOptions | undefined;
  /** Opens what keeps models. Default `openModelStore`. */
  readonly openStore?: (() => Promise<ModelStore>) | undefined;
}

/**
 * Draws for the page that made this worker, and connects by `connectWorker`. Call it once, when the script
 * of a dedicated worker starts, without waiting for anything before.
 * @param endpoint Default: the worker's global scope.
 */
export function serveWorker(options: ServeOptions = {}, endpoint: Endpoint = globalThis): void {
  const { hub, openDevice = openWebDevice, openStore = () => openModelStore({ hub }) } = options;
  const devices = new Devices(openDevice);
  let opened: Promise<ModelStore> | undefined;
  const store = (): Promise<ModelStore> => {
    opened ??= openStore();
    return opened;
  };
  const current = new CurrentModel();
  const answers: Answers = {
    hello: async () => VERSION,
    adapter: async () => viewOf(await devices.get()),
    async estimate(source, { signal }) {
      const estimate = await (await store()).estimate(source, { signal });
      const { roomProblem } = await import('../../catalogue/checkpoint-memory.ts');
      const { gpuBytes: total, largestBuffer } = estimate;
      const room = viewOf(await devices.get());
      return { ...estimate, problem: roomProblem({ total, largestBuffer }, room) };
    },
    async load({ source, ...options }, { signal, tell }) {
      const progress =
        (phase: LoadProgress['phase']) =>
        (done: number, total: number): void =>
          tell({ phase, done, total });
      const download = progress('download');
      const open = async (): Promise<DrawingModel> => {
        const files = await (await store()).open(source, {
          signal,
          onNote: (note, isPassing) => tell(isPassing ? { phase: 'passing', note } : note),
          onProgress: ({ done, total }) => download(done, total),
        });
        // Its code is not waited for by those who only look at what there is.
        const { openDrawingModel } = await import('./drawing-model.ts');
        return openDrawingModel(files, devices, {
          ...{ ...options, source, signal, onProgress: progress('load') },
        });
      };
      const onClosed = (): void => tell({ phase: 'closed' });
      const { view } = await current.replace(open, { signal, onClosed });
      return view;
    },
    model: async () => current.view,
    async draw(request, { signal, tell }) {
      const onEvent = (event: DrawEvent): void => tell(event, buffersOf(event));
      await current.get().draw(request, { signal, onEvent });
    },
    async store() {
      const { kind, note, usage } = await store();
      return { kind, note, ...(await usage()) };
    },
    models: async () => (await store()).list(),
    remove: async (id) => (await store()).remove(id),
    loseDevice: () => devices.lose(),
  };
  answerOver(endpoint, answers);
}

function viewOf({ device, adapter, notes, software }: WorkerDevice): AdapterView {
  const { vendor, architecture, description } = adapter.info;
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed adapter';
  const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  return { description: name, software, notes, maxBufferSize, maxStorageBufferBindingSize };
}

/** Pixels go to the page; tokens are few, and copied. */
function buffersOf(event: DrawEvent): Transferable[] {
  return 'picture' in event && event.picture ? [event.picture.rgba.buffer] : [];
}
