/** The OpenAPI document, and the page to try it. */
import type { FastifyInstance } from 'fastify';
import { VERSION } from '../version.ts';
import type { ServerPeers } from './peers.ts';
import type { JsonSchema } from './request-schema.ts';

const string = { type: 'string' };
const integer = { type: 'integer' };

const ERROR: JsonSchema = {
  type: 'object',
  description: 'What was wrong.',
  properties: {
    error: {
      type: 'object',
      properties: {
        message: string,
        type: string,
        param: { type: ['string', 'null'] },
        code: { type: ['string', 'null'] },
      },
      required: ['message', 'type', 'param', 'code'],
    },
  },
  required: ['error'],
};

const IMAGE: JsonSchema = {
  type: 'object',
  properties: {
    b64_json: { ...string, description: 'The file, unless URLs were asked for.' },
    url: { ...string, description: 'Where the file is for some time.' },
    seed: { ...integer, description: 'Asked for with it, n = 1, the same image comes again.' },
    revised_prompt: { ...string, description: 'The name of the class, or the prompt.' },
  },
  required: ['seed', 'revised_prompt'],
};

const USAGE: JsonSchema = {
  type: 'object',
  properties: {
    input_tokens: integer,
    input_tokens_details: {
      type: 'object',
      properties: { text_tokens: integer, image_tokens: integer },
    },
    output_tokens: integer,
    total_tokens: integer,
  },
};

const IMAGES: JsonSchema = {
  type: 'object',
  description: 'The images, or their events.',
  properties: {
    created: integer,
    model: string,
    size: string,
    quality: string,
    background: string,
    output_format: string,
    fingerprint: {
      ...string,
      description: 'Equal ones, seeds and settings mean equal pixels.',
    },
    seed: integer,
    usage: USAGE,
    data: { type: 'array', items: IMAGE },
  },
  required: ['created', 'data'],
};

export const GENERATION_RESPONSES: JsonSchema = {
  200: IMAGES,
  ...Object.fromEntries(
    ['400', '401', '404', '413', '415', '422', '429', '500', '503', '504'].map((status) => [
      status,
      ERROR,
    ]),
  ),
};

/** A policy of its own: this page has styles in line, which it makes itself. */
const POLICY = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'", "'unsafe-inline'"],
  'img-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** Before the routes that it is made of. */
export async function addOpenApi(
  app: FastifyInstance,
  { swagger, swaggerUi }: Pick<ServerPeers, 'swagger' | 'swaggerUi'>,
  hasKeys: boolean,
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'llamagen-webgpu',
        description: 'Images of LlamaGen, by the OpenAI images API.',
        version: VERSION,
      },
      ...(hasKeys && {
        components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
        security: [{ key: [] }],
      }),
    },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: POLICY,
    theme: { title: 'llamagen-webgpu API' },
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
