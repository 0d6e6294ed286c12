/** `POST /v1/images/generations`: what its body may hold. The OpenAPI document is made of this. */
export const OUTPUT_FORMATS = ['png', 'webp', 'jpeg'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Most images of one request, as in the OpenAI API. */
export const MAX_IMAGES = 10;
/** Most previews of an image, as in the OpenAI API. */
export const MAX_PARTIAL_IMAGES = 3;

/** Null stands for what is left out. */
type Maybe<T> = T | null | undefined;

export interface GenerationBody {
  readonly prompt: string;
  readonly model?: Maybe<string>;
  readonly n?: Maybe<number>;
  readonly size?: Maybe<string>;
  readonly seed?: Maybe<number>;
  readonly response_format?: Maybe<'b64_json' | 'url'>;
  readonly output_format?: Maybe<OutputFormat>;
  readonly output_compression?: Maybe<number>;
  readonly stream?: Maybe<boolean>;
  readonly partial_images?: Maybe<number>;
  readonly cfg_scale?: Maybe<number>;
  readonly cfg_interval?: Maybe<number>;
  readonly temperature?: Maybe<number>;
  readonly top_k?: Maybe<number>;
  readonly top_p?: Maybe<number>;
  readonly greedy?: Maybe<boolean>;
}

/** Fields of the OpenAI API that mean nothing to these models: taken, checked by type and left. */
export const IGNORED = {
  background: 'string',
  moderation: 'string',
  quality: 'string',
  style: 'string',
  user: 'string',
} as const;

/** The library's names of settings of sampling. */
export const SAMPLING_FIELDS = {
  cfg_scale: 'cfgScale',
  cfg_interval: 'cfgInterval',
  temperature: 'temperature',
  top_k: 'topK',
  top_p: 'topP',
  greedy: 'greedy',
} as const;

const MAX_PROMPT = 10_000;
const MAX_NAME = 200;

const integer = (minimum: number, maximum: number, description: string): object => ({
  ...{ type: ['integer', 'null'], minimum, maximum, description },
});
const number = (description: string): object => ({ type: ['number', 'null'], description });
const choice = (values: readonly string[], description: string): object => ({
  ...{ type: ['string', 'null'], enum: [...values, null], description },
});

const ignored = Object.fromEntries(
  Object.entries(IGNORED).map(([name, type]) => [
    name,
    {
      type: [type, 'null'],
      maxLength: MAX_NAME,
      description: 'Taken, and without a meaning here.',
    },
  ]),
);

/** A JSON schema, as fastify and OpenAPI take it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export const GENERATION_BODY: JsonSchema = {
  $id: 'Generation',
  type: 'object',
  additionalProperties: false,
  required: ['prompt'],
  properties: {
    prompt: {
      type: 'string',
      minLength: 1,
      maxLength: MAX_PROMPT,
      description:
        'The name of a class or its index as `class:7`; for a model of texts, what to draw in words.',
    },
    model: {
      type: ['string', 'null'],
      maxLength: MAX_NAME,
      description: 'Default: the first one.',
    },
    n: integer(1, MAX_IMAGES, 'Images; image i draws with seed + i. Default 1.'),
    size: {
      type: ['string', 'null'],
      maxLength: MAX_NAME,
      description: '`auto` or the size of the model; others where the server resizes.',
    },
    seed: integer(
      0,
      Number.MAX_SAFE_INTEGER - MAX_IMAGES,
      'The same seed, settings and fingerprint give the same pixels. Default: a random one.',
    ),
    response_format: choice(['b64_json', 'url'], 'Default b64_json; URLs expire.'),
    output_format: choice(OUTPUT_FORMATS, 'Default png, which says how it was made.'),
    output_compression: integer(0, 100, 'Quality of webp and jpeg. Default 100.'),
    stream: { type: ['boolean', 'null'], description: 'Server-sent events. Default false.' },
    partial_images: integer(
      0,
      MAX_PARTIAL_IMAGES,
      'Previews of each image in a stream. Default 0.',
    ),
    cfg_scale: number("Strength of guidance; 1 is none. Default: the model's."),
    cfg_interval: number('Guide only the first tokens; -1 guides all.'),
    temperature: number('Randomness.'),
    top_k: number('Draw from the k best codes; 0 keeps all.'),
    top_p: number('Draw from this share of probability.'),
    greedy: {
      type: ['boolean', 'null'],
      description: 'Always take the most likely code instead of drawing at random.',
    },
    ...ignored,
  },
};
