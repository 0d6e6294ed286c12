/** Sizes of a T5 v1.1 encoder: a `config.json` of Hugging Face in, what graphs need out. */
import { WeightsError } from '../errors.ts';
import { parseJson } from '../weights/json-text.ts';
import { quote } from '../weights/quote.ts';
import { Fields } from './json-fields.ts';

export interface T5Config {
  /** Features of a token (`d_model`). */
  readonly dim: number;
  /** Layers of the encoder (`num_layers`). */
  readonly nLayer: number;
  readonly nHead: number;
  /** Features of a head (`d_kv`); nHead * headDim need not be dim. */
  readonly headDim: number;
  /** Features inside the feed-forward block (`d_ff`). */
  readonly hiddenDim: number;
  /** Rows of the embedding table; ids are below it. */
  readonly vocabSize: number;
  /** Biases of a head, half of them for keys behind the query (`relative_attention_num_buckets`). */
  readonly buckets: number;
  /** Keys at this distance and farther share a bias (`relative_attention_max_distance`). */
  readonly maxDistance: number;
  readonly normEps: number;
}

/** Bounds that no model comes near; beyond them a config is broken, not big. */
const MAX_DIM = 65536;
const MAX_LAYERS = 1024;
const MAX_VOCAB = 2 ** 20;
const MAX_BUCKETS = 4096;

/** What is read of a model type: all have the same encoder. */
const MODEL_TYPES = ['t5', 'mt5'];
/** Names of GELU in its tanh form, gated. */
const GATED_GELU = ['gated-gelu', 'gated-gelu_new'];

/** The encoder of google/flan-t5-xl, which the official text-conditional models were trained with. */
export const T5_XL: T5Config = {
  ...{ dim: 2048, nLayer: 24, nHead: 32, headDim: 64, hiddenDim: 5120, vocabSize: 32128 },
  ...{ buckets: 32, maxDistance: 128, normEps: 1e-6 },
};

/**
 * Reads the `config.json` of a T5 v1.1, FLAN-T5 or mT5. Sizes must be there; buckets, distance and eps
 * have the defaults of T5Config in transformers; what concerns the decoder is ignored.
 * @param where What to call the file in messages.
 * @throws WeightsError that names field, value and expectation, also for other kinds of T5.
 */
export function parseT5Json(text: string, where: string): T5Config {
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (error) {
    throw new WeightsError(`${where}: not JSON: ${error instanceof Error ? error.message : error}`);
  }
  return parseT5Config(json, where);
}

/** As `parseT5Json`, of what was parsed already. */
export function parseT5Config(json: unknown, where: string): T5Config {
  const fields = new Fields(where, json);
  checkKind(fields);
  const buckets = fields.integer('relative_attention_num_buckets', 4, MAX_BUCKETS, 32);
  if (buckets % 4 !== 0) {
    fields.fail('relative_attention_num_buckets', 'a multiple of 4', buckets);
  }
  const multipleOf4 = (name: string, most: number): number => {
    const size = fields.integer(name, 4, most);
    return size % 4 === 0 ? size : fields.fail(name, 'a multiple of 4', size);
  };
  return {
    dim: multipleOf4('d_model', MAX_DIM),
    nLayer: fields.integer('num_layers', 1, MAX_LAYERS),
    nHead: fields.integer('num_heads', 1, MAX_DIM),
    headDim: multipleOf4('d_kv', 256),
    hiddenDim: multipleOf4('d_ff', MAX_DIM),
    vocabSize: fields.integer('vocab_size', 1, MAX_VOCAB),
    buckets,
    // A quarter of the buckets has a distance of its own each; the logarithm begins behind them.
    maxDistance: fields.integer(
      'relative_attention_max_distance',
      buckets / 4 + 1,
      MAX_DIM,
      Math.max(128, buckets / 4 + 1),
    ),
    normEps: fields.number('layer_norm_epsilon', 'a number above 0', (eps) => eps > 0, 1e-6),
  };
}

/** @throws WeightsError for a model that is no T5, and for a T5 whose layers are of another kind. */
function checkKind(fields: Fields): void {
  const type = fields.get('model_type') ?? 't5';
  if (typeof type !== 'string' || !MODEL_TYPES.includes(type)) {
    fields.fail(
      'model_type',
      `${MODEL_TYPES.map((known) => quote(known)).join(' or ')}, a T5 v1.1 encoder`,
      type,
    );
  }
  if (fields.get('is_decoder') === true) {
    throw new WeightsError(
      `${fields.where}: "is_decoder" is true: features of prompts come from a T5 encoder, and this is a decoder`,
    );
  }
  const act = fields.get('feed_forward_proj') ?? 'relu';
  if (typeof act === 'string' && GATED_GELU.includes(act)) return;
  throw new WeightsError(
    `${fields.where}: "feed_forward_proj" is ${quote(act)}, as in T5 1.0: only T5 v1.1 and FLAN-T5 are supported, whose feed-forward is "gated-gelu"`,
  );
}

/**
 * The bucket of each distance from -maxDistance to maxDistance, of a key from its query: u32
 * [2 * maxDistance + 1]. Half of the buckets are for keys behind; of each half one half has a distance
 * a bucket, the other grows by the logarithm, in the float32 of transformers, whose rounding decides
 * where a quotient is a whole number but for its last bit.
 * Source: transformers, T5Attention._relative_position_bucket.
 */
export function relativeBuckets({
  buckets,
  maxDistance,
}: Pick<T5Config, 'buckets' | 'maxDistance'>): Uint32Array<ArrayBuffer> {
  const half = buckets / 2;
  const exact = half / 2;
  const { fround, log } = Math;
  const scale = fround(log(maxDistance / exact));
  const bucketOf = (distance: number): number => {
    if (distance < exact) return distance;
    const logarithm = fround(log(fround(distance / exact)));
    const large = exact + Math.trunc(fround(fround(logarithm / scale) * (half - exact)));
    return Math.min(large, half - 1);
  };
  return Uint32Array.from({ length: 2 * maxDistance + 1 }, (_, i) => {
    const offset = i - maxDistance;
    return (offset > 0 ? half : 0) + bucketOf(Math.abs(offset));
  });
}
