/** What is said of images that were drawn: one JSON object, or server-sent events. */

import type { ApiError } from './api-error.ts';
import type { Asked, Size } from './read-request.ts';
import type { Delivered, Run } from './run.ts';

/** Keeps a file for a URL, which it returns. */
export type Keep = (file: Uint8Array) => string;

/** So often a stream says that it is still there, for proxies that cut those that are silent. */
const PING_MS = 15_000;

/** The body of an answer that is no stream. */
export async function answerOf(
  { asked, created }: Pick<Run, 'asked' | 'created'>,
  events: AsyncIterable<Delivered>,
  keep: Keep,
): Promise<object> {
  const data: object[] = [];
  let promptTokens = 0;
  for await (const event of events) {
    if (event.type !== 'image') continue;
    promptTokens += event.promptTokens;
    data[event.image] = {
      ...fileField(asked, event.file, keep),
      ...{ seed: event.seed, revised_prompt: asked.subject },
    };
  }
  return {
    created,
    ...factsOf(asked),
    seed: asked.seed,
    usage: usageOf(asked, asked.count, promptTokens),
    data,
  };
}

/** How a stream is answered. */
export interface StreamOptions {
  readonly keep: Keep;
  /** Is told what goes wrong, and says what the client is told. */
  readonly onError: (error: unknown) => ApiError;
}

/** The same as server-sent events. What goes wrong after the first is an event `error`. */
export async function* eventsOf(
  { asked, created }: Pick<Run, 'asked' | 'created'>,
  events: AsyncIterable<Delivered>,
  { keep, onError }: StreamOptions,
): AsyncGenerator<string, void> {
  // The head of the answer goes out with it, long before the first picture.
  yield ': taken\n\n';
  try {
    for await (const event of withPings(events)) {
      if (event === undefined) {
        yield ': drawing\n\n';
        continue;
      }
      const { type, image, file } = event;
      const common = { created_at: created, image_index: image, ...factsOf(asked) };
      const name = type === 'partial' ? 'partial_image' : 'completed';
      const own =
        type === 'partial'
          ? {
              ...{ b64_json: base64(file), partial_image_index: event.index },
              size: nameOf(asked.model), // previews are not resized
            }
          : {
              ...fileField(asked, file, keep),
              ...{ seed: event.seed, revised_prompt: asked.subject },
              usage: usageOf(asked, 1, event.promptTokens),
            };
      yield sse(`image_generation.${name}`, { ...common, ...own });
    }
  } catch (error) {
    yield sse('error', onError(error).body);
  }
}

const sse = (type: string, body: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...body })}\n\n`;

/** Values as they come, and undefined when there was none for some time. */
async function* withPings<T>(values: AsyncIterable<T>): AsyncGenerator<T | undefined, void> {
  const iterator = values[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (;;) {
      let timer: NodeJS.Timeout | undefined;
      const silence = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), PING_MS);
      });
      const result = await Promise.race([next, silence]).finally(() => clearTimeout(timer));
      if (result?.done) return;
      yield result?.value;
      if (result) next = iterator.next();
    }
  } finally {
    await iterator.return?.();
  }
}

const nameOf = ({ width, height }: Size): string => `${width}x${height}`;

/** What is true of all images of an answer. */
const factsOf = ({ modelName, model, size, format }: Asked): object => ({
  model: modelName,
  size: nameOf(size),
  ...{ quality: 'auto', background: 'opaque', output_format: format },
  fingerprint: model.fingerprint.digest,
});

const fileField = ({ response }: Asked, file: Uint8Array, keep: Keep): object =>
  response === 'url' ? { url: keep(file) } : { b64_json: base64(file) };

function usageOf({ model }: Asked, images: number, promptTokens: number): object {
  const output = images * model.blockSize;
  return {
    input_tokens: promptTokens,
    input_tokens_details: { text_tokens: promptTokens, image_tokens: 0 },
    output_tokens: output,
    total_tokens: promptTokens + output,
  };
}

const base64 = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');
