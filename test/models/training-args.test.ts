/** What a checkpoint says of itself beside its tensors: used, and refused where it contradicts them. */
import { describe, expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { gptConfig, gptWeightShapes, parseGptConfig } from '../../src/models/gpt-config.ts';
import { type GptHints, inferGpt } from '../../src/models/infer-gpt.ts';
import { inferVq } from '../../src/models/infer-vq.ts';
import { parseVqConfig, VQ_8 } from '../../src/models/vq-config.ts';
import { vqWeightShapes } from '../../src/models/vq-weights.ts';
import type { Scalar } from '../../src/weights/checkpoint.ts';
import type { NamedTensors, WantedTensor } from '../../src/weights/join.ts';

const file = (name: string, tensors: readonly WantedTensor[]): NamedTensors => ({
  name,
  tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
});
const TINY = parseGptConfig({
  ...{ dim: 16, n_layer: 2, n_head: 2, vocab_size: 48, num_classes: 10, block_size: 16 },
  multiple_of: 16,
});
const TINY_VQ = parseVqConfig({
  ...{ ch: 32, ch_mult: [1, 2], num_res_blocks: 1, z_channels: 32, codebook_size: 48 },
});
type Args = Readonly<Record<string, Scalar>>;
const source = (values: Args, where = 'args') => ({
  where,
  values: new Map(Object.entries(values)),
});
const trained = (values: Args, name = '0250000.pt', tensors = gptWeightShapes(TINY)) => ({
  ...file(name, tensors),
  args: [source(values)],
});

describe('arguments of the training', () => {
  test.each<[string, Args]>([
    [
      'pixels',
      { gpt_model: 'GPT-X', image_size: 8, downsample_size: 2, num_classes: 10, vocab_size: 48 },
    ],
    ['tokens', { block_size: 16, n_head: 2, dim: 16, n_layer: 2, model_type: 'c2i', n_kv_head: 2 }],
    ['pixels of the image alone', { image_size: 8 }],
    ['text', { image_size: '8', downsample_size: ' 2 ', ema: 'False', vocab_size: '4.8e1' }],
    [
      'the rest of the official ones',
      { image_size: 8, multiple_of: 16, cls_token_num: 1, gpt_type: 'c2i' },
    ],
    ['nothing said of much', { image_size: 8, ffn_dim_multiplier: null, n_kv_head: 'None' }],
  ])('tell the grid: %s', (_, values) => {
    expect(inferGpt(trained(values), { heads: 2, downsample: 2 }).config).toEqual(TINY);
  });

  test('tell the heads, and what nothing else tells', () => {
    const said = { n_head: 4, block_size: 9, rope_base: 500000, norm_eps: 1e-6 };
    const { args, config } = inferGpt(trained(said), {});
    expect(config).toMatchObject({ nHead: 4, gridSize: 3, ropeBase: 500000, normEps: 1e-6 });
    expect(args).toMatchObject({ n_head: 4, rope_base: 500000, norm_eps: 1e-6 });
    // An official size may be of another number of heads.
    const shapes = gptWeightShapes(gptConfig('GPT-B', 16));
    const other = inferGpt(trained({ n_head: 6, block_size: 256 }, 'x', shapes), {});
    expect(other.config.nHead).toBe(6);
    expect(
      inferGpt(trained({ gpt_model: 'gpt-b', block_size: 256 }, 'x', shapes), {}).config.nHead,
    ).toBe(12);
  });

  test('the pixels of the name count by those of the tokenizer', () => {
    const { config } = inferGpt(file('c2i_B_256.pt', gptWeightShapes(TINY)), {
      heads: 2,
      downsample: 8,
    });
    expect([config.gridSize, config.blockSize]).toEqual([32, 1024]);
    const folder = {
      ...file('model.safetensors', gptWeightShapes(TINY)),
      titles: ['model.safetensors.index.json', 'c2i-B-384'],
    };
    expect(inferGpt(folder, { heads: 2, downsample: 16 }).config.gridSize).toBe(24);
  });

  const contradictions: [string, Args, string, GptHints, string[]][] = [
    [
      'name and args',
      { image_size: 384, downsample_size: 16 },
      'c2i_B_256.pt',
      {},
      [
        'do not agree on the token grid',
        'name:    c2i_B_256.pt: 256 pixels a side, so 16x16 tokens of 16x16 pixels',
        'args:    image_size 384, downsample_size 16, so 24x24',
        'shapes:  nothing',
        'options: nothing',
        'rename the file or give --ignore name; if the args are wrong, give --ignore args',
      ],
    ],
    [
      'name and an option',
      {},
      'c2i_B_256.pt',
      { grid: 4 },
      ['options: --grid 4', 'leave it out', '--ignore name'],
    ],
    [
      'args and an option',
      { block_size: 25 },
      'x.pt',
      { grid: 4 },
      ['block_size 25, so 5x5', '--grid 4'],
    ],
    [
      'args and each other',
      { block_size: 16, image_size: 8, downsample_size: 4 },
      'x.pt',
      {},
      ['16, so 4x4; image_size 8'],
    ],
    [
      'args and the tokenizer',
      { downsample_size: 16, image_size: 64 },
      'x.pt',
      { downsample: 2 },
      ['the pixels of a token', 'the tokenizer makes 2x2 pixels', 'downsample_size 16'],
    ],
    [
      'args and shapes',
      { num_classes: 1000, block_size: 16 },
      'x.pt',
      {},
      ['num_classes', `cls_embedding.embedding_table.weight [11,16], so 10`, 'num_classes 1000'],
    ],
    [
      'the codes',
      { vocab_size: 16384, block_size: 16 },
      'x.pt',
      {},
      ['vocab_size', '[48,16], so 48'],
    ],
    [
      'the codes of the tokenizer',
      { codebook_size: 47, block_size: 16 },
      'x.pt',
      {},
      ['codebook_size 47'],
    ],
    [
      'an official size',
      { gpt_model: 'GPT-B', block_size: 16 },
      'x.pt',
      {},
      ['dim:', 'gpt_model GPT-B, so 768'],
    ],
    [
      'the layers',
      { n_layer: 3, block_size: 16 },
      'x.pt',
      {},
      ['n_layer', 'layers up to layers.1', 'n_layer 3'],
    ],
    [
      'the heads',
      { n_head: 4, block_size: 16 },
      'x.pt',
      { heads: 2 },
      ['n_head', 'options: --heads 2'],
    ],
    ['heads of keys', { n_kv_head: 1, block_size: 16 }, 'x.pt', {}, ['n_kv_head 1']],
    [
      'the feed-forward block',
      { multiple_of: 256, block_size: 16 },
      'x.pt',
      {},
      ['multiple_of 256, so 256', '[48,16], so 48'],
    ],
    [
      'the condition',
      { gpt_type: 't2i', block_size: 16 },
      'x.pt',
      {},
      ['kind of condition', 'gpt_type t2i'],
    ],
  ];
  test.each(contradictions)('that contradict: %s', (_, values, name, hints, texts) => {
    const given = { heads: 2, ...hints };
    const infer = () => inferGpt(trained(values, name), given);
    const isAsked = texts.some((text) => text.includes('--grid') || text.includes('--heads'));
    expect(infer).toThrow(isAsked ? OptionError : WeightsError);
    for (const text of [...texts, 'name:', 'args:', 'shapes:', 'options:'])
      expect(infer).toThrow(text);
    // There is a way out.
    const ignore = ['name', 'args'] as const;
    expect(inferGpt(trained(values, name), { grid: 4, ...given, ignore }).config).toEqual(TINY);
  });

  test('of the file and of a config.json must agree too', () => {
    const both = {
      ...trained({ block_size: 16 }),
      args: [source({ block_size: 16 }), source({ block_size: 9 }, 'a/config.json')],
    };
    expect(() => inferGpt(both, { heads: 2 })).toThrow(
      'args:    block_size 16, so 4x4; a/config.json: block_size 9, so 3x3',
    );
  });

  test('a stale RoPE table can be ignored', () => {
    const tensors = [...gptWeightShapes(TINY), { name: 'freqs_cis', shape: [26, 4, 2] }];
    const stale = trained({ block_size: 16 }, 'x.pt', tensors);
    expect(() => inferGpt(stale, {})).toThrow('give --ignore buffers');
    expect(inferGpt(stale, { heads: 2, ignore: ['buffers'] }).config).toEqual(TINY);
  });

  test.each<[Args, RegExp]>([
    [{ image_size: 'big' }, /"image_size" expected a number, got "big" \(--ignore args leaves/],
    [{ image_size: 8.5 }, /"image_size" expected a whole number from 1, got 8.5/],
    [{ image_size: Number.NaN }, /"image_size" expected a whole number from 1, got NaN/],
    [{ image_size: true }, /"image_size" expected a number, got true/],
    [{ block_size: 15 }, /"block_size" expected a square number: .*got 15/],
    [{ image_size: 8, downsample_size: 16 }, /the pixels of a token/],
    [
      { block_size: 16, cls_token_num: 120 },
      /"cls_token_num" expected a whole number from 1 to 1, got 120/,
    ],
    [{ block_size: 16, norm_eps: 1e-300 }, /"norm_eps" expected .*32-bit floats have, got 1e-300/],
    [{ block_size: '9'.repeat(400) }, /"block_size" expected a whole number/],
    [{ block_size: `${'0'.repeat(1e5)}25`, image_size: 8 }, /0{68}\.\.\., so 5x5; image_size 8/],
  ])('%.60j is refused', (values, message) => {
    const infer = () => inferGpt(trained(values), { heads: 2, downsample: 2 });
    expect(infer).toThrow(WeightsError);
    expect(infer).toThrow(message);
  });
});

describe('arguments of a tokenizer', () => {
  const tokenizer = (values: Args) => trained(values, 'vq.pt', vqWeightShapes(TINY_VQ));

  test.each<[Scalar, boolean]>([
    [false, false],
    ['False', false],
    [0, false],
    [true, true],
    ['true', true],
    [null, true],
  ])('codebook_l2_norm %j', (value, expected) => {
    const values = {
      vq_model: 'VQ-X',
      codebook_size: 48,
      codebook_embed_dim: 8,
      codebook_l2_norm: value,
    };
    const { args, config } = inferVq(tokenizer(values));
    expect([args.codebook_l2_norm, config.codebookL2Norm]).toEqual([expected, expected]);
    expect(inferVq(tokenizer(values), ['args']).config.codebookL2Norm).toBe(true);
  });

  test('levels as a config has them', () => {
    const said = { encoder_ch_mult: '[1,2]', decoder_ch_mult: '[1, 2]', z_channels: 32 };
    expect(inferVq(tokenizer(said)).config).toEqual(TINY_VQ);
    const vq8 = trained({ vq_model: 'VQ-8' }, 'vq.pt', vqWeightShapes(VQ_8));
    expect(inferVq(vq8).config).toEqual(VQ_8);
  });

  test.each<[Args, string]>([
    [
      { codebook_size: 16384 },
      'codebook_size:\n  name:    nothing\n  args:    codebook_size 16384\n  shapes:  quantize.embedding.weight [48,8], so 48\n  options: nothing',
    ],
    [{ codebook_embed_dim: 32 }, 'quantize.embedding.weight [48,8], so 8'],
    [{ z_channels: 256 }, 'z_channels 256'],
    [{ vq_model: 'VQ-16' }, 'vq_model VQ-16, so 16x16 pixels to a token'],
    [{ encoder_ch_mult: '[1,1,2,2,4]' }, 'encoder_ch_mult [1,1,2,2,4]'],
    [{ codebook_l2_norm: 'perhaps' }, '"codebook_l2_norm" expected true or false, got "perhaps"'],
  ])('%j is refused', (values, message) => {
    expect(() => inferVq(tokenizer(values))).toThrow(WeightsError);
    expect(() => inferVq(tokenizer(values))).toThrow(message);
    expect(inferVq(tokenizer(values), ['args']).config).toEqual(TINY_VQ);
  });
});
