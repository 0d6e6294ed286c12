/** The worker's side: a device, a model, and pictures for whoever asks. */
import { OptionError } from '../../errors.ts';
import { VERSION } from '../../version.ts';
import { openWebDevice } from '../device.ts';
import { openModelStore } from '../store/store.ts';
import type { ModelStore } from '../store/types.ts';
import { type Answers, answerOver, type Endpoint } from './channel.ts';
import { Devices, type WorkerDevice } from './devices.ts';
import { type DrawingModel, openDrawingModel } from './drawing-model.ts';
import type { AdapterView, DrawEvent, LoadProgress } from './protocol.ts';

export interface ServeOptions {
  /** Opens a device: at first need, and again whenever it was lost. Default `openWebDevice`. */
  readonly openDevice?: (() => Promise<WorkerDevice>) | undefined;
  /** Opens what keeps models. Default `openModelStore`. */
  readonly openStore?: (() => Promise<ModelStore>) | undefined;
}

/**
 * Draws for the page that made this worker, and connects by `connectWorker`. Call it once, when the script
 * of a dedicated worker starts, without waiting for anything before.
 * @param endpoint Default: the worker's global scope.
 */
export function serveWorker(
  { openDevice = openWebDevice, openStore = openModelStore }: ServeOptions = {},
  endpoint: Endpoint = globalThis,
): void {
  const devices = new Devices(openDevice);
  let opened: Promise<ModelStore> | undefined;
  const store = (): Promise<ModelStore> => {
    opened ??= openStore();
    return opened;
  };
  let drawing: DrawingModel | undefined;
  const answers: Answers = {
    hello: async () => VERSION,
    adapter: async () => viewOf(await devices.get()),
    async load(source, { signal, tell }) {
      const progress =
        (phase: LoadProgress['phase']) =>
        (done: number, total: number): void =>
          tell({ phase, done, total });
      const download = progress('download');
      const files = await (await store()).open(source, {
        ...{ signal, onNote: tell },
        onProgress: ({ done, total }) => download(done, total),
      });
      const options = { signal, onProgress: progress('load') };
      const next = await openDrawingModel(files, devices, options);
      drawing?.close();
      drawing = next;
      return next.view;
    },
    async draw(request, { signal, tell }) {
      if (!drawing) throw new OptionError('there is no model yet: load one');
      for await (const event of drawing.draw(request, signal)) tell(event, buffersOf(event));
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
