/** The worker's side: a device, a model, and pictures for whoever asks. */
import { OptionError } from '../../errors.ts';
import { VERSION } from '../../version.ts';
import type { ModelFiles } from '../../weights/source.ts';
import { openWebDevice } from '../device.ts';
import { openUrl } from '../files.ts';
import { type Answers, answerOver, type Endpoint } from './channel.ts';
import { Devices, type WorkerDevice } from './devices.ts';
import { type DrawingModel, openDrawingModel } from './drawing-model.ts';
import type { AdapterView, DrawEvent, ModelSource } from './protocol.ts';

export interface ServeOptions {
  /** Opens a device: at first need, and again whenever it was lost. Default `openWebDevice`. */
  readonly openDevice?: (() => Promise<WorkerDevice>) | undefined;
}

/**
 * Draws for the page that made this worker, and connects by `connectWorker`. Call it once, when the script
 * of a dedicated worker starts, without waiting for anything before.
 * @param endpoint Default: the worker's global scope.
 */
export function serveWorker(
  { openDevice = openWebDevice }: ServeOptions = {},
  endpoint: Endpoint = globalThis,
): void {
  const devices = new Devices(openDevice);
  let drawing: DrawingModel | undefined;
  const answers: Answers = {
    hello: async () => VERSION,
    adapter: async () => viewOf(await devices.get()),
    async load(source, { signal, tell }) {
      const files = openSource(source, signal);
      const next = await openDrawingModel(files, devices, {
        signal,
        onProgress: (done, total) => tell({ phase: 'load', done, total }),
      });
      drawing?.close();
      drawing = next;
      return next.view;
    },
    async draw(request, { signal, tell }) {
      if (!drawing) throw new OptionError('there is no model yet: load one');
      for await (const event of drawing.draw(request, signal)) tell(event, buffersOf(event));
    },
  };
  answerOver(endpoint, answers);
}

function openSource(source: ModelSource, signal: AbortSignal): ModelFiles {
  if ('url' in source) return openUrl(source.url, { signal });
  throw new OptionError('models come from an address so far');
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
