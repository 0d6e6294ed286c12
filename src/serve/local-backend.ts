/** A backend that draws in this process, with one engine on one GPU, and on another when that is lost. */
import type { Picture } from '../engine/images.ts';
import { createLastingEngine } from '../engine/lasting.ts';
import type { LastingEngine, LastingEvent } from '../engine/lasting-types.ts';
import { OptionError } from '../errors.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import type {
  Backend,
  BackendLoad,
  ImageJob,
  JobEvent,
  JobPicture,
  ServedModel,
} from './backend.ts';
import { LocalSession, type SessionOptions } from './local-session.ts';

export interface LocalOptions extends SessionOptions {
  /** KV slots; a guided image takes two. Default: as memory allows, 64 at most. */
  readonly capacity?: number | undefined;
  /** When the model's files were made, in seconds since 1970. Default: now. */
  readonly created?: number | undefined;
  /** Called when no device can be opened any more: all that is asked for fails from then on. */
  readonly onFailed?: ((error: unknown) => void) | undefined;
}

/** Losses of a device in a row after which no other is opened. */
const MOST_LOSSES = 4;
/** Work that is queued on the device: less than for one user, so that a request that joins starts sooner. */
const AHEAD_MS = 30;

/**
 * Loads a model, and its text encoder where it has one, on the best device.
 * @throws What `openDevice`, `loadModel`, `loadTextModel` and `createLastingEngine` throw.
 */
export async function createLocalBackend(options: LocalOptions): Promise<Backend> {
  const { capacity, onNote, onFailed, created = Date.now() / 1000 } = options;
  const session = new LocalSession(options);
  const engine = await createLastingEngine(session.open, {
    capacity,
    mostLosses: MOST_LOSSES,
    aheadMs: AHEAD_MS,
    onLost({ error, inARow }) {
      const reason = error instanceof Error ? error.message : String(error);
      onNote?.(`${reason}: ${inARow < MOST_LOSSES ? 'opening it again' : 'giving up'}`);
    },
    onEnded: (error) => onFailed?.(error),
  });
  try {
    // Two rows are a guided image: the first one need not wait for a compiler.
    await engine.prepare(Math.min(2, engine.capacity));
    return new LocalBackend(session, engine, session.served(Math.floor(created)));
  } catch (error) {
    engine.destroy();
    throw error;
  }
}

class LocalBackend implements Backend {
  readonly models: readonly ServedModel[];
  readonly #session: LocalSession;
  readonly #engine: LastingEngine;
  /** Jobs whose prompts are being read, before the engine knows of them. */
  #reading = 0;
  #isClosing = false;

  constructor(session: LocalSession, engine: LastingEngine, model: ServedModel) {
    this.#session = session;
    this.#engine = engine;
    this.models = [model];
  }

  load(): BackendLoad {
    const { load, stats, model, resets } = this.#engine;
    const { slots, slotsInUse, rowsInUse } = load;
    const { steps: passes, tokens, rowsComputed, rowsFull } = stats;
    return {
      workers: this.ready() ? 1 : 0,
      waiting: this.#reading + load.waiting,
      running: load.running + load.finishing,
      ...{ slots, slotsInUse, rowsInUse, passes, tokens, rowsComputed, rowsFull, resets },
      gpuBytes: model.memory,
    };
  }

  async *submit(
    job: ImageJob,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<JobEvent, void> {
    const { sampling, condition, seed, previewEvery } = job;
    const { config } = this.#engine.model;
    if (job.model !== config.name) throw new OptionError(`there is no model "${job.model}" here`);
    const read = await this.#read(condition, signal);
    const request = { ...sampling, ...read.condition, seed, previewEvery };
    for await (const event of this.#engine.submit(request, { signal })) {
      // Of every chunk of passes, and nobody who serves asks for it.
      if (event.type !== 'tokens') yield jobEvent(event, read);
    }
  }

  ready(): boolean {
    return this.#engine.isOpen && !this.#isClosing;
  }

  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([this.#engine.idle(), deadline]);
    clearTimeout(timer);
    this.#engine.destroy();
  }

  /** What the engine is asked for: of texts what the text encoder makes of them. */
  async #read(condition: ImageJob['condition'], signal: AbortSignal): Promise<Read> {
    if ('classIndex' in condition) return { condition, promptTokens: 1 };
    this.#reading++;
    const { caption, encoder } = await this.#session
      .read(condition.prompt, { ended: () => this.#engine.ended, signal })
      .finally(() => this.#reading--);
    const { values, tokens, dim } = caption;
    return { condition: { caption: { values, tokens, dim } }, promptTokens: tokens, encoder };
  }
}

interface Read {
  readonly condition: { readonly classIndex: number } | { readonly caption: CaptionFeatures };
  readonly promptTokens: number;
  readonly encoder?: string | undefined;
}

function jobEvent(
  event: Exclude<LastingEvent, { type: 'tokens' }>,
  { promptTokens, encoder }: Read,
): JobEvent {
  if (event.type === 'preview') {
    const { done, picture } = event;
    return { type: 'preview', done, picture: bytesOf(picture) };
  }
  if (event.type !== 'image') return event;
  const { picture, passes, decodeMs } = event;
  if (!picture) throw new Error('an image without pixels');
  const image = { picture: bytesOf(picture), promptTokens, passes, decodeMs };
  return { type: 'image', ...image, ...(encoder && { encoder }) };
}

const bytesOf = ({ width, height, rgba }: Picture): JobPicture => ({
  ...{ width, height },
  rgba: new Uint8Array(rgba.buffer, rgba.byteOffset, rgba.byteLength),
});
