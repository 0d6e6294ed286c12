/** The images of one request, drawn side by side. */
import { EventQueue } from '../engine/event-queue.ts';
import type { Backend, ImageJob, JobEvent, JobPicture } from './backend.ts';
import type { Asked } from './read-request.ts';

/** What comes of a request, as soon as it is there. */
export type Drawn =
  /** A picture under way: the `index`th preview of the image. */
  | {
      readonly type: 'partial';
      readonly image: number;
      readonly index: number;
      readonly picture: JobPicture;
    }
  | {
      readonly type: 'image';
      readonly image: number;
      readonly seed: number;
      readonly picture: JobPicture;
      readonly promptTokens: number;
      readonly encoder: string | undefined;
    };

/**
 * Asks a backend for all images of a request. Leaving the loop, or aborting the signal, takes all of them
 * out; where one fails the others are not drawn on.
 */
export function drawImages(
  submit: Backend['submit'],
  asked: Asked,
  signal: AbortSignal,
): AsyncIterableIterator<Drawn> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  const drawn = new EventQueue<Drawn>(() => stop.abort());
  const images = jobsOf(asked).map(async (job, image) => {
    let index = 0;
    for await (const event of submit(job, { signal: stop.signal })) {
      const told = drawnOf(event, image, job.seed, index);
      if (told?.type === 'partial') index++;
      // Previews are about equally far apart, whatever the tokens of an image are divided by.
      if (told && index <= asked.partialImages) drawn.push(told);
    }
  });
  void Promise.all(images)
    .then(
      () => drawn.end(),
      (error) => {
        drawn.fail(error);
        stop.abort();
      },
    )
    .finally(() => signal.removeEventListener('abort', onAbort));
  return drawn;
}

function drawnOf(event: JobEvent, image: number, seed: number, index: number): Drawn | undefined {
  if (event.type === 'preview') return { type: 'partial', image, index, picture: event.picture };
  if (event.type !== 'image') return undefined;
  const { picture, promptTokens, encoder } = event;
  return { type: 'image', image, seed, picture, promptTokens, encoder };
}

function jobsOf({ model, condition, seed, count, sampling, partialImages }: Asked): ImageJob[] {
  const previewEvery = Math.ceil(model.blockSize / (partialImages + 1));
  return Array.from({ length: count }, (_, i) => ({
    ...{ model: model.name, condition, sampling, seed: seed + i },
    ...(partialImages > 0 && { previewEvery }),
  }));
}
