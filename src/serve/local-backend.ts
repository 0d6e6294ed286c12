/** A backend that draws in this process, with one engine on one GPU. */
import { describeAdapter } from '../cli/report.ts';
import { createEngine } from '../engine/engine.ts';
import type { Engine } from '../engine/engine-types.ts';
import type { Picture } from '../engine/images.ts';
import type { EngineEvent } from '../engine/request.ts';
import { OptionError } from '../errors.ts';
import { loadTextModel, type TextModel } from '../generate/prompts.ts';
import { type LoadOptions, loadModel, type Model } from '../load/model.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import { downsampleOf } from '../models/vq-config.ts';
import { type NodeDevice, openDevice } from '../node/device.ts';
import type { ModelFiles } from '../weights/source.ts';
import type {
  Backend,
  BackendLoad,
  ImageJob,
  JobEvent,
  JobPicture,
  ServedModel,
} from './backend.ts';

export interface LocalOptions {
  readonly files: ModelFiles;
  readonly load?: Pick<LoadOptions, 'dtype' | 'precision' | 'kvDtype' | 'onProgress'> | undefined;
  /** KV slots; a guided image takes two. Default 32. */
  readonly capacity?: number | undefined;
  /** When the model's files were made, in seconds since 1970. Default: now. */
  readonly created?: number | undefined;
  /** Takes lines that a user should see. */
  readonly onNote?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads a model, and its text encoder where it has one, on the best device.
 * @throws What `openDevice`, `loadModel`, `loadTextModel` and `createEngine` throw.
 */
export async function createLocalBackend(options: LocalOptions): Promise<Backend> {
  const { files, load, signal, capacity, onNote, created = Date.now() / 1000 } = options;
  const opened = await openDevice({ validation: false });
  try {
    for (const note of opened.notes) onNote?.(note);
    const { device, kernels } = opened;
    const model = await loadModel(device, files, { ...kernels, ...load, signal });
    const isText = model.config.gpt.modelType === 't2i';
    const text = isText ? await loadTextModel(device, files, { ...kernels, signal }) : undefined;
    const engine = await createEngine(model, { capacity });
    // Two rows are a guided image: the first one need not wait for a compiler.
    await engine.prepare(Math.min(2, engine.capacity));
    return new LocalBackend({ opened, model, text, engine, created: Math.floor(created) });
  } catch (error) {
    opened.close();
    throw error;
  }
}

interface Parts {
  readonly opened: NodeDevice;
  readonly model: Model;
  readonly text: TextModel | undefined;
  readonly engine: Engine;
  readonly created: number;
}

class LocalBackend implements Backend {
  readonly models: readonly ServedModel[];
  readonly #parts: Parts;
  readonly #counts = { waiting: 0, running: 0, slotsInUse: 0, tokens: 0 };
  #isOpen = true;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.models = [servedModel(parts)];
  }

  load(): BackendLoad {
    const { engine, model } = this.#parts;
    return {
      ...this.#counts,
      workers: this.#isOpen ? 1 : 0,
      slots: engine.capacity,
      rowsInUse: this.#counts.slotsInUse,
      passes: engine.stats.steps,
      rowsComputed: 0,
      rowsFull: 0,
      resets: 0,
      gpuBytes: model.memory,
    };
  }

  async *submit(
    job: ImageJob,
    options: { readonly signal: AbortSignal },
  ): AsyncGenerator<JobEvent, void> {
    const { engine, model } = this.#parts;
    const { condition, seed, sampling, previewEvery } = job;
    if (job.model !== model.name) throw new OptionError(`there is no model "${job.model}" here`);
    const { signal } = options;
    const read = await this.#read(condition, signal);
    const request = { ...sampling, ...read.condition, seed, previewEvery };
    const guided = (sampling?.cfgScale ?? model.config.sampling.cfgScale) > 1;
    const counts = this.#counts;
    const stage = new Stage(guided ? 2 : 1, (waiting, running, slots) => {
      counts.waiting += waiting;
      counts.running += running;
      counts.slotsInUse += slots;
    });
    let drawn = 0;
    try {
      for await (const event of engine.submit(request, { signal })) {
        stage.follow(event);
        if (event.type === 'tokens') {
          counts.tokens += event.done - drawn;
          drawn = event.done;
        }
        yield jobEvent(event, read);
      }
    } finally {
      stage.leave();
    }
  }

  ready(): boolean {
    return this.#isOpen;
  }

  async close(deadlineMs: number): Promise<void> {
    const { engine, model, text, opened } = this.#parts;
    this.#isOpen = false;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([engine.idle(), deadline]);
    clearTimeout(timer);
    engine.destroy();
    text?.destroy();
    model.destroy();
    opened.close();
  }

  /** What the engine is asked for; texts are read by the text encoder first. */
  async #read(condition: ImageJob['condition'], signal: AbortSignal): Promise<Read> {
    const { text, model } = this.#parts;
    if ('classIndex' in condition) return { condition, promptTokens: 1 };
    if (!text) throw new OptionError(`${model.name} draws classes and reads no text`);
    const [caption] = await text.encode([condition.prompt], { signal });
    if (!caption) throw new Error('a prompt without features');
    const { values, tokens, dim } = caption;
    const { modelDigest: encoder } = text.encoder;
    return { condition: { caption: { values, tokens, dim } }, promptTokens: tokens, encoder };
  }
}

interface Read {
  readonly condition: { readonly classIndex: number } | { readonly caption: CaptionFeatures };
  readonly promptTokens: number;
  readonly encoder?: string | undefined;
}

/** Counts where a job is: before its slots, in them, or gone. */
class Stage {
  readonly #rows: number;
  readonly #count: (waiting: number, running: number, rows: number) => void;
  #at: 'new' | 'waiting' | 'drawing' | 'decoding' | 'gone' = 'new';

  constructor(rows: number, count: (waiting: number, running: number, rows: number) => void) {
    this.#rows = rows;
    this.#count = count;
    this.#move('waiting', 1, 0, 0);
  }

  follow(event: EngineEvent): void {
    if (event.type === 'started') this.#move('drawing', -1, 1, this.#rows);
    const isFull = event.type === 'tokens' && event.done === event.total;
    if (isFull && this.#at === 'drawing') this.#move('decoding', 0, 0, -this.#rows);
  }

  leave(): void {
    if (this.#at === 'waiting') this.#move('gone', -1, 0, 0);
    if (this.#at === 'drawing') this.#move('gone', 0, -1, -this.#rows);
    if (this.#at === 'decoding') this.#move('gone', 0, -1, 0);
  }

  #move(
    to: 'waiting' | 'drawing' | 'decoding' | 'gone',
    ...change: [number, number, number]
  ): void {
    this.#at = to;
    this.#count(...change);
  }
}

function jobEvent(event: EngineEvent, { promptTokens, encoder }: Read): JobEvent {
  if (event.type === 'tokens') return { type: 'tokens', done: event.done, total: event.total };
  if (event.type === 'preview') {
    const { done, picture } = event;
    return { type: 'preview', done, picture: bytesOf(picture) };
  }
  if (event.type !== 'image') return event;
  const { picture, passes, decodeMs } = event;
  if (!picture) throw new Error('an image without pixels');
  return {
    type: 'image',
    picture: bytesOf(picture),
    promptTokens,
    passes,
    decodeMs,
    ...(encoder && { encoder }),
  };
}

const bytesOf = ({ width, height, rgba }: Picture): JobPicture => ({
  ...{ width, height },
  rgba: new Uint8Array(rgba.buffer, rgba.byteOffset, rgba.byteLength),
});

function servedModel({ model, opened, created }: Parts): ServedModel {
  const { name, config, fingerprint, gpt } = model;
  const { gridSize, blockSize, modelType } = config.gpt;
  const side = gridSize * downsampleOf(config.vq);
  return {
    ...{ name, created, modelType, blockSize, fingerprint },
    description: config.description,
    classNames: config.classNames,
    text: config.text,
    width: side,
    height: side,
    sampling: config.sampling,
    dtype: gpt.precision.dtype,
    adapter: describeAdapter(opened.adapter.info, opened.software),
  };
}
