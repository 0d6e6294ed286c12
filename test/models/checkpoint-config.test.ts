/** Official and other sizes, read back off the shapes. */
import { describe, expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { recognise } from '../../src/models/checkpoint-config.ts';
import {
  GPT_SIZES,
  type GptSize,
  gptConfig,
  gptWeightShapes,
  parseGptConfig,
} from '../../src/models/gpt-config.ts';
import { inferGpt } from '../../src/models/infer-gpt.ts';
import { inferVq } from '../../src/models/infer-vq.ts';
import { parseVqConfig, VQ_8, VQ_16, vqParameterCount } from '../../src/models/vq-config.ts';
import { vqWeightShapes } from '../../src/models/vq-weights.ts';
import type { NamedTensors, WantedTensor } from '../../src/weights/join.ts';

const file = (name: string, tensors: readonly WantedTensor[]): NamedTensors => ({
  name,
  tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
});
const without = (tensors: WantedTensor[], pattern: RegExp): WantedTensor[] =>
  tensors.filter(({ name }) => !pattern.test(name));

describe('decoders', () => {
  const grids = { c2i_B_256: 16, c2i_L_384: 24, 'x_512-ema': 32 } as const;
  const sizes = Object.keys(GPT_SIZES) as GptSize[];

  test.each(sizes)('%s', (size) => {
    const config = gptConfig(size, 24);
    const found = inferGpt(file('folder_256/c2i_X_384.pt', gptWeightShapes(config)), {});
    expect(found.config).toEqual(config);
    expect(found.args).toMatchObject({ multiple_of: 256, ffn_dim_multiplier: null });
  });

  test.each(Object.entries(grids))('the grid of %s is %i', (name, grid) => {
    const shapes = gptWeightShapes(gptConfig('GPT-B', 16));
    expect(inferGpt(file(`${name}.pt`, shapes), {}).config.gridSize).toBe(grid);
  });

  test('the RoPE table tells grid and heads, with or without rows for the class', () => {
    const odd = parseGptConfig({
      ...{ dim: 24, n_layer: 1, n_head: 3, vocab_size: 9, num_classes: 2, block_size: 36 },
    });
    for (const shape of [
      [37, 4, 2],
      [36, 4, 2],
      [37, 4],
    ]) {
      const named = file('x.pt', [...gptWeightShapes(odd), { name: 'freqs_cis', shape }]);
      expect(inferGpt(named, {}).config).toEqual(odd);
      expect(() => inferGpt(named, { heads: 2 })).toThrow('freqs_cis');
    }
    // What is no table of this model tells nothing.
    for (const shape of [[4], [0], [37, 5, 2], [37, 4, 3], [37, 4, 2, 1], [37, 0]]) {
      const named = file('x.pt', [...gptWeightShapes(odd), { name: 'freqs_cis', shape }]);
      expect(inferGpt(named, { heads: 3, grid: 6 }).config).toEqual(odd);
      expect(() => inferGpt(named, { heads: 3 })).toThrow('(--grid)');
    }
  });

  test.each([
    { multiple_of: 16 },
    { n_kv_head: 1 },
    { ffn_dim_multiplier: 0.3, multiple_of: 1 },
    { ffn_dim_multiplier: 1.7, multiple_of: 64 },
  ])('another size: %o', (args) => {
    const sizes = { dim: 100, n_layer: 3, n_head: 5, vocab_size: 50, num_classes: 7 };
    const config = parseGptConfig({ ...sizes, block_size: 9, ...args });
    const found = inferGpt(file('x', gptWeightShapes(config)), { grid: 3, heads: 5 });
    expect(found.config).toEqual(config);
  });

  test('any width of the feed-forward block is read back', () => {
    const sizes = { dim: 28, n_layer: 1, n_head: 1, vocab_size: 5, num_classes: 2, block_size: 4 };
    const shapes = gptWeightShapes(parseGptConfig(sizes));
    for (let hidden = 1; hidden <= 600; hidden++) {
      const resized = shapes.map(({ name, shape }) => ({
        name,
        shape: shape.map((n, axis) =>
          /w[13]\.weight$/.test(name) && axis === 0
            ? hidden
            : /w2\.weight$/.test(name) && axis === 1
              ? hidden
              : n,
        ),
      }));
      const { config } = inferGpt(file('x', resized), { grid: 2, heads: 1 });
      expect(config.hiddenDim).toBe(hidden);
    }
  });

  test('what must be given is asked for', () => {
    const shapes = gptWeightShapes(gptConfig('GPT-B', 16));
    expect(() => inferGpt(file('gpt.pt', shapes), {})).toThrow(OptionError);
    expect(() => inferGpt(file('gpt.pt', shapes), {})).toThrow('(--grid)');
    const odd = file('c2i_256.pt', without(shapes, /^layers\.11\./));
    expect(() => inferGpt(odd, {})).toThrow('11 layers of 768 features');
    expect(() => inferGpt(odd, {})).toThrow(OptionError);
  });

  test('a tensor that is missing, misshapen or too much is named', () => {
    const shapes = without(gptWeightShapes(gptConfig('GPT-B', 16)), /^norm\.weight$/);
    const wrong = file('c2i_B_256.pt', [...shapes, { name: 'extra', shape: [2] }]);
    expect(() => inferGpt(wrong, {})).toThrow(WeightsError);
    expect(() => inferGpt(wrong, {})).toThrow(/missing:\n {2}"norm.weight" \[768\]/);
    expect(() => inferGpt(wrong, {})).toThrow(/unexpected:\n {2}"extra" \[2\]/);
  });

  test('a layer with an absurd number is refused', () => {
    const shapes = gptWeightShapes(gptConfig('GPT-B', 16));
    const absurd = file('c2i_256', [...shapes, { name: 'layers.999999999999.x', shape: [] }]);
    expect(() => inferGpt(absurd, { heads: 12 })).toThrow('"n_layer" expected');
  });
});

const SMALL_TEXT = {
  ...{ model_type: 't2i', dim: 64, n_layer: 2, n_head: 4, vocab_size: 32, block_size: 256 },
  ...{ multiple_of: 32, caption_dim: 48 },
};

describe('decoders of texts', () => {
  const config = gptConfig('GPT-XL', 32, 't2i');

  test.each(['t2i_XL_stage2_512.pt', 't2i-XL-512'])('are read, the grid by the name %s', (name) => {
    expect(inferGpt(file(name, gptWeightShapes(config)), {}).config).toEqual(config);
  });

  test('have the rows that their RoPE table has beside the caption', () => {
    const table = { name: 'freqs_cis', shape: [120 + 32 * 32, 32, 2] };
    const saved = file('model.pt', [...gptWeightShapes(config), table]);
    expect(inferGpt(saved, {}).config).toEqual(config);
  });

  test('have as many condition tokens as they say, of the rows that stand for no caption', () => {
    const small = gptWeightShapes(parseGptConfig({ ...SMALL_TEXT, cls_token_num: 24 }));
    const { config } = inferGpt(file('a_256.pt', small), { heads: 4 });
    expect(config).toMatchObject({ modelType: 't2i', clsTokenNum: 24, captionDim: 48 });
    const official = gptWeightShapes(parseGptConfig({ ...SMALL_TEXT, cls_token_num: 24 }), 120);
    const args = [{ where: 'args', values: new Map([['cls_token_num', 24]]) }];
    const read = inferGpt({ ...file('a_256.pt', official), args }, { heads: 4 });
    expect(read.config.clsTokenNum).toBe(24);
  });

  test('that have a class table as well are refused', () => {
    const both = [
      ...gptWeightShapes(config),
      { name: 'cls_embedding.embedding_table.weight', shape: [1001, 1280] },
    ];
    expect(() => inferGpt(file('t2i_XL_stage2_512.pt', both), {})).toThrow(/kind of condition/);
  });
});

describe('tokenizers', () => {
  test.each([
    ['VQ-16', VQ_16],
    ['VQ-8', VQ_8],
    [
      'another',
      parseVqConfig({
        ...{ ch: 32, encoder_ch_mult: [1, 2, 3], decoder_ch_mult: [2, 1, 3], num_res_blocks: 1 },
        ...{ z_channels: 48, codebook_size: 100, codebook_embed_dim: 5 },
      }),
    ],
  ])('%s', (_, config) => {
    const shapes = vqWeightShapes(config);
    const buffer = { name: 'quantize.codebook_used', shape: [65536] };
    expect(inferVq(file('vq.pt', [...shapes, buffer])).config).toEqual(config);
    const count = shapes.reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0);
    expect(count).toBe(vqParameterCount(config));
  });

  test('without its encoder it is refused', () => {
    const half = file('vq.pt', without(vqWeightShapes(VQ_16), /^encoder\.(mid|norm_out)/));
    expect(() => inferVq(half)).toThrow('"encoder.mid.0.norm1.weight"');
  });

  test('a level with an absurd number is refused', () => {
    const tensor = { name: 'decoder.conv_blocks.99999999.x', shape: [] };
    const absurd = file('vq.pt', [...vqWeightShapes(VQ_16), tensor]);
    expect(() => inferVq(absurd)).toThrow('"decoder_ch_mult" expected an array of 1 to 8');
  });
});

describe('which network a file holds', () => {
  const gpt = gptWeightShapes(gptConfig('GPT-B', 16));

  test('is seen from its tensors', () => {
    expect(recognise(file('a', gpt))).toBe('gpt');
    expect(recognise(file('b', vqWeightShapes(VQ_8)))).toBe('vq');
    expect(recognise(file('c', gptWeightShapes(gptConfig('GPT-XL', 16, 't2i'))))).toBe('gpt');
  });

  test('another architecture is refused with the first ten names of each list', () => {
    const other = Array.from({ length: 12 }, (_, i) => ({ name: `h.${i}.attn`, shape: [4, i] }));
    const run = () => recognise(file('gpt2.pt', other));
    expect(run).toThrow(WeightsError);
    expect(run).toThrow('not those of a LlamaGen decoder (GPT-B)\n88 missing:');
    expect(run).toThrow(/12 unexpected:\n {2}"h.0.attn" \[4,0\]\n/);
    expect(run).toThrow(/"h.9.attn" \[4,9\]\n {2}and 2 more/);
    const vae = [{ name: 'encoder.down.0.weight', shape: [3] }];
    expect(() => recognise(file('vae.pt', vae))).toThrow('a LlamaGen tokenizer (VQ-16)');
  });
});
