/** All requests that are drawn now: taken within the bounds of a server, and given back when it ends. */
import { Admission } from './admission.ts';
import { ApiError } from './api-error.ts';
import type { Backend } from './backend.ts';
import { type Drawn, drawImages } from './draw.ts';
import type { Metrics } from './metrics.ts';
import { pictureFile } from './picture-bytes.ts';
import type { Asked } from './read-request.ts';
import { Run } from './run.ts';
import type { Limits } from './server-options.ts';
import type { Tracing } from './tracing.ts';

export interface RunsOptions {
  readonly backend: Backend;
  readonly limits: Pick<Limits, 'waiting' | 'requestMs'>;
  readonly metrics: Pick<Metrics, 'follow'>;
  readonly tracing?: Pick<Tracing, 'follow'> | undefined;
  readonly sharp: typeof import('sharp');
  /** Is given each image that is done, and whose it is. */
  readonly onImage: (file: Uint8Array, asked: Asked, seed: number, client: string) => void;
}

export class Runs {
  readonly #options: RunsOptions;
  readonly #admission: Admission;
  readonly #running = new Set<Run>();

  constructor(options: RunsOptions) {
    this.#options = options;
    const { backend, limits } = options;
    // A guided image takes two slots.
    this.#admission = new Admission(() => Math.ceil(backend.load().slots / 2) + limits.waiting);
  }

  /**
   * Begins to draw.
   * @param isShared Whether others than who asks may follow it, later too.
   * @throws ApiError (429) where there is no room.
   */
  begin(asked: Asked, client: string, isShared: boolean): Run {
    const { backend, metrics, tracing, limits, sharp, onImage } = this.#options;
    this.#admission.take(asked.count);
    const submit: Backend['submit'] = (job, options) => {
      const events = metrics.follow(backend.submit(job, options));
      return tracing?.follow(events) ?? events;
    };
    const run = new Run({
      ...{ asked, isShared },
      draw: (signal) => this.#counted(drawImages(submit, asked, signal), asked.count),
      encode: async (drawn) => {
        if (drawn.type === 'partial') return pictureFile(sharp, drawn.picture, asked);
        const file = await pictureFile(sharp, drawn.picture, asked, drawn);
        onImage(file, asked, drawn.seed, client);
        return file;
      },
    });
    const timer = setTimeout(() => run.abort(timedOut(limits.requestMs)), limits.requestMs);
    this.#running.add(run);
    void run.ended.then(() => {
      clearTimeout(timer);
      this.#running.delete(run);
    });
    return run;
  }

  /** Ends all that runs. */
  abort(reason: unknown): void {
    for (const run of this.#running) run.abort(reason);
  }

  async *#counted(drawn: AsyncIterable<Drawn>, images: number): AsyncGenerator<Drawn, void> {
    let left = images;
    try {
      for await (const each of drawn) {
        if (each.type === 'image') {
          left--;
          this.#admission.done();
        }
        yield each;
      }
    } finally {
      this.#admission.giveUp(left);
    }
  }
}

const timedOut = (ms: number): ApiError =>
  new ApiError(504, `the images were not done within ${Math.round(ms / 1000)} s`, {
    code: 'timeout',
  });
