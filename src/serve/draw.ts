/** The images of one request, drawn side by side. */
import { EventQueue } from '../engine/event-queue.ts';
import { onAbort } from '../engine/on-abort.ts';
import type { Backend, ImageJob, JobEvent, JobPicture } from './backend.ts';
import type { Asked } from './read-request.ts';

/** What comes of a request, as soon as it is there. */
export type Drawn =
  /** The backend took the image: what is wrong about it would have been said. */
  | { readonly type: 'taken'; readonly image: number }
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
 * Asks a backend for all images of a request. Whoever stops taking what comes, or aborts the signal, takes
 * all of them out; where one fails the others are not drawn on.
 */
export function drawImages(
  submit: Backend['submit'],
  asked: Asked,
  signal: AbortSignal,
): AsyncIterableIterator<Drawn> {
  const stop = new AbortController();
  if (signal.aborted) stop.abort(signal.reason);
  const unlisten = onAbort(signal, () => stop.abort(signal.reason));
  const drawn = new EventQueue<Drawn>(() => stop.abort());
  const images = jobsOf(asked).map(async (job, image) => {
    let previews = 0;
    for await (const event of submit(job, { signal: stop.signal })) {
      if (event.type === 'preview' && previews === asked.partialImages) continue;
      const told = drawnOf(event, { image, seed: job.seed, previews });
      if (told?.type === 'partial') previews++;
      if (told) drawn.push(told);
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
    .finally(unlisten);
  return drawn;
}

interface Place {
  readonly image: number;
  readonly seed: number;
  readonly previews: number;
}

function drawnOf(event: JobEvent, { image, seed, previews }: Place): Drawn | undefined {
  if (event.type === 'queued') return { type: 'taken', image };
  if (event.type === 'preview') {
    return { type: 'partial', image, index: previews, picture: event.picture };
  }
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
