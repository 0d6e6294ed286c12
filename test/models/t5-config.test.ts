import { describe, expect, test } from 'vitest';
import { parseT5Config, parseT5Json, relativeBuckets, T5_XL } from '../../src/models/t5-config.ts';
import { TINY_T5 } from '../support/tiny-t5.ts';

/** The config.json of google/flan-t5-xl, without what concerns generation. */
const FLAN_T5_XL = {
  ...{ architectures: ['T5ForConditionalGeneration'], d_ff: 5120, d_kv: 64, d_model: 2048 },
  ...{ decoder_start_token_id: 0, dropout_rate: 0.1, eos_token_id: 1 },
  ...{ feed_forward_proj: 'gated-gelu', initializer_factor: 1, is_encoder_decoder: true },
  ...{ layer_norm_epsilon: 1e-6, model_type: 't5', n_positions: 512, num_decoder_layers: 24 },
  ...{ num_heads: 32, num_layers: 24, output_past: true, pad_token_id: 0 },
  ...{ relative_attention_max_distance: 128, relative_attention_num_buckets: 32 },
  ...{ tie_word_embeddings: false, use_cache: true, vocab_size: 32128 },
};

describe('a config', () => {
  test('of FLAN-T5-XL', () => {
    expect(parseT5Json(JSON.stringify(FLAN_T5_XL), 't5.json')).toEqual(T5_XL);
  });

  test('has the defaults of transformers', () => {
    const {
      relative_attention_num_buckets: _,
      relative_attention_max_distance: __,
      layer_norm_epsilon: ___,
      ...needed
    } = FLAN_T5_XL;
    expect(parseT5Config(needed, 't5.json')).toEqual(T5_XL);
  });

  test.each([
    [{ feed_forward_proj: 'relu' }, /"relu", as in T5 1.0: only T5 v1.1 and FLAN-T5/],
    [{ feed_forward_proj: undefined }, /"relu", as in T5 1.0/],
    [{ feed_forward_proj: 'gated-silu' }, /"gated-silu"/],
    [{ model_type: 'bert' }, /"model_type" expected "t5" or "mt5", a T5 v1.1 encoder, got "bert"/],
    [{ model_type: 'umt5' }, /"umt5"/],
    [{ is_decoder: true }, /"is_decoder" is true: .* this is a decoder/],
    [{ d_model: undefined }, /"d_model" expected a whole number from 4 to 65536, got nothing/],
    [{ d_model: 30 }, /"d_model" expected a multiple of 4, got 30/],
    [{ d_kv: 512 }, /"d_kv" expected a whole number from 4 to 256, got 512/],
    [{ num_layers: 0 }, /"num_layers"/],
    [{ num_heads: '4' }, /"num_heads"/],
    [{ vocab_size: 1e9 }, /"vocab_size"/],
    [{ relative_attention_num_buckets: 6 }, /"relative_attention_num_buckets" .* multiple of 4/],
    [{ relative_attention_max_distance: 2 }, /"relative_attention_max_distance" .* from 3 /],
    [{ layer_norm_epsilon: 0 }, /"layer_norm_epsilon" expected a number above 0, got 0/],
  ])('%j is refused', (change, message) => {
    const parse = () => parseT5Config({ ...TINY_T5, ...change }, 't5.json');
    expect(parse).toThrow(message);
    expect(parse).toThrow(expect.objectContaining({ name: 'WeightsError' }));
  });

  test('that is no JSON is refused', () => {
    expect(() => parseT5Json('{', 't5.json')).toThrow(/^t5.json: not JSON/);
    expect(() => parseT5Json('[]', 't5.json')).toThrow(/expected an object/);
  });
});

describe('buckets', () => {
  const of = (config: Parameters<typeof relativeBuckets>[0]) => {
    const table = relativeBuckets(config);
    return (distance: number) => table[distance + config.maxDistance];
  };

  test('are exact near by, then grow by the logarithm', () => {
    const bucket = of(T5_XL);
    // log(64 / 8) / log(16) * 8 is 6 in float32, and a little less in what is not.
    const behind = [0, 1, 7, 8, 11, 12, 15, 16, 32, 63, 64, 90, 91, 127, 128];
    expect(behind.map((d) => bucket(-d))).toEqual([
      ...[0, 1, 7, 8, 8, 9, 9, 10, 12, 13, 14, 14, 15, 15, 15],
    ]);
    for (const d of behind.slice(1)) expect(bucket(d)).toBe(16 + bucket(-d)!);
  });

  test('of other numbers end with the last of their half', () => {
    const bucket = of({ buckets: 8, maxDistance: 16 });
    expect([0, 1, 2, 3, 5, 6, 15, 16].map((d) => bucket(-d))).toEqual([0, 1, 2, 2, 2, 3, 3, 3]);
    expect(bucket(16)).toBe(7);
  });
});
