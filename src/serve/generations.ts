/** `POST /v1/images/generations`. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ApiError } from './api-error.ts';
import type { Backend } from './backend.ts';
import { type Drawn, drawImages } from './draw.ts';
import { pictureFile } from './picture-bytes.ts';
import { type Asked, type ReadOptions, readRequest } from './read-request.ts';
import { GENERATION_BODY, type GenerationBody } from './request-schema.ts';

export interface GenerationOptions extends Omit<ReadOptions, 'models'> {
  readonly backend: Backend;
  readonly sharp: typeof import('sharp');
}

export function addGenerations(app: FastifyInstance, options: GenerationOptions): void {
  const { backend, sharp, ...rest } = options;
  app.post<{ Body: GenerationBody }>(
    '/v1/images/generations',
    { schema: { body: GENERATION_BODY } },
    async ({ body }, reply) => {
      if (!backend.ready()) {
        const details = { code: 'not_ready', retryAfter: 5 };
        throw new ApiError(503, 'no model is ready to draw yet', details);
      }
      const asked = readRequest(body, { ...rest, models: backend.models });
      const signal = signalOf(reply);
      const submit = backend.submit.bind(backend);
      return answer(asked, sharp, drawImages(submit, asked, signal));
    },
  );
}

/** Aborts when whoever asked goes away. */
function signalOf(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** The body of an answer that is no stream. */
async function answer(
  asked: Asked,
  sharp: GenerationOptions['sharp'],
  images: AsyncIterable<Drawn>,
): Promise<object> {
  const data: object[] = [];
  let [promptTokens, encoded] = [0, Promise.resolve()];
  for await (const drawn of images) {
    if (drawn.type !== 'image') continue;
    const { image, seed, picture, encoder } = drawn;
    promptTokens += drawn.promptTokens;
    encoded = encoded.then(async () => {
      const file = await pictureFile(sharp, picture, asked, { seed, encoder });
      data[image] = { b64_json: base64(file), seed, revised_prompt: asked.subject };
    });
  }
  await encoded;
  return { created: Math.floor(Date.now() / 1000), ...facts(asked, promptTokens), data };
}

/** What an answer says of all its images. */
const facts = (asked: Asked, promptTokens: number): object => ({
  model: asked.modelName,
  size: `${asked.size.width}x${asked.size.height}`,
  output_format: asked.format,
  seed: asked.seed,
  fingerprint: asked.model.fingerprint.digest,
  usage: usageOf(asked, asked.count, promptTokens),
});

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
