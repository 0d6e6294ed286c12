import { expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { parseConfigJson } from '../../src/models/config-json.ts';

const parse = (json: unknown) => parseConfigJson(JSON.stringify(json), 'a/config.json');

test('scalars and lists of numbers, as PyTorchModelHubMixin writes the official ModelArgs', () => {
  const gpt = { block_size: 256, n_head: 12, n_kv_head: null, rope_base: 10000, model_type: 'c2i' };
  expect(parse(gpt)).toEqual({ where: 'a/config.json', values: new Map(Object.entries(gpt)) });
  const vq = {
    codebook_l2_norm: true,
    encoder_ch_mult: [1, 2, 2, 4],
    loss: { x: 1 },
    names: ['a'],
  };
  expect(Object.fromEntries(parse(vq)!.values)).toEqual({
    codebook_l2_norm: true,
    encoder_ch_mult: '[1,2,2,4]',
  });
  const nested = { n_head: 2, config: { n_head: 3, block_size: 9 }, model_args: { dim: 4 } };
  expect(Object.fromEntries(parse(nested)!.values)).toEqual({ n_head: 2, block_size: 9 });
});

test('a byte order mark is no part of it', () => {
  expect(parseConfigJson('\uFEFF{"n_head": 2}', 'x')?.values.get('n_head')).toBe(2);
});

test.each([
  [{ architectures: ['GPT2LMHeadModel'], n_head: 12, vocab_size: 50257 }],
  [{ model_type: 'llama', vocab_size: 32000 }],
])('the config of another kind of model is none: %j', (json) => {
  expect(parse(json)).toBeUndefined();
  expect(parse({ ...json, block_size: 16 })?.values.get('block_size')).toBe(16);
});

test('what is no object is refused, with the way around', () => {
  const deep = `${'['.repeat(1e5)}${']'.repeat(1e5)}`;
  for (const text of ['{', '[]', 'null', deep]) {
    const run = () => parseConfigJson(text, 'a/config.json');
    expect(run).toThrow(WeightsError);
    expect(run).toThrow(/^a\/config\.json: .*--ignore args/);
  }
});
