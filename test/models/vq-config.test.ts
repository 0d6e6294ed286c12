import { describe, expect, test } from 'vitest';
import { PORTABLE } from '../../kernels/kernel.ts';
import { WeightsError } from '../../src/errors.ts';
import { Graph } from '../../src/graph/graph.ts';
import { elementCount } from '../../src/graph/tensor.ts';
import {
  downsampleOf,
  parseVqConfig,
  VQ_8,
  VQ_16,
  type VqConfig,
  vqParameterCount,
} from '../../src/models/vq-config.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { vqEncoder } from '../../src/models/vq-encoder.ts';

const options = { variant: PORTABLE, dtype: 'f32' } as const;

/** A config in which no two sizes are equal. */
const ODD = {
  ch: 32,
  encoder_ch_mult: [1, 3, 2],
  decoder_ch_mult: [2, 1, 4],
  num_res_blocks: 3,
  z_channels: 20,
  codebook_size: 50,
  codebook_embed_dim: 4,
  codebook_l2_norm: false,
};

describe('parseVqConfig', () => {
  test('reads the official names', () => {
    expect(parseVqConfig(ODD)).toEqual({
      ch: 32,
      encoderChMult: [1, 3, 2],
      decoderChMult: [2, 1, 4],
      numResBlocks: 3,
      zChannels: 20,
      codebookSize: 50,
      codebookEmbedDim: 4,
      codebookL2Norm: false,
      inChannels: 3,
      outChannels: 3,
    });
  });

  test('reads one ch_mult for both networks, and takes the official defaults', () => {
    expect(parseVqConfig({ ch_mult: [1, 1, 2, 2, 4] })).toEqual(VQ_16);
    expect(parseVqConfig({ ch_mult: [1, 2, 2, 4], downsample: 8 })).toEqual(VQ_8);
  });

  test.each([
    [{ ...ODD, ch: 48 }, 'vq: "ch" expected a multiple of 32 (GroupNorm), got 48'],
    [{ ch: 32 }, /"ch_mult" expected an array of 1 to 8 multipliers.*got nothing/],
    [{ ...ODD, encoder_ch_mult: [1, 1.5, 2] }, /"encoder_ch_mult" expected whole numbers/],
    [{ ...ODD, decoder_ch_mult: [1, 2] }, /"decoder_ch_mult" expected 3 levels.*got \[1,2\]/],
    [{ ...ODD, decoder_ch_mult: [] }, /"decoder_ch_mult" expected an array of 1 to 8/],
    [{ ...ODD, num_res_blocks: 0 }, /"num_res_blocks" expected a whole number.*got 0/],
    [{ ...ODD, z_channels: '256' }, /"z_channels" expected a whole number.*got "256"/],
    [{ ...ODD, codebook_l2_norm: 1 }, 'vq: "codebook_l2_norm" expected true or false, got 1'],
    [{ ...ODD, out_channels: 4 }, /"out_channels" expected a whole number from 3 to 3, got 4/],
    [{ ...ODD, downsample: 8 }, 'vq: "downsample" expected 4, for 3 levels, got 8'],
    [null, 'vq: expected an object, got null'],
  ])('refuses %j', (json, message) => {
    expect(() => parseVqConfig(json)).toThrow(WeightsError);
    expect(() => parseVqConfig(json)).toThrow(message);
  });
});

test('downsampleOf', () => {
  expect([VQ_8, VQ_16].map(downsampleOf)).toEqual([8, 16]);
});

describe('vqParameterCount', () => {
  test('of the official VQ-16, as PyTorch counts it', () => {
    expect(vqParameterCount(VQ_16)).toBe(71_883_403);
    expect(vqParameterCount(VQ_16, 'decoder')).toBe(42_583_171);
    expect(vqParameterCount(VQ_16, 'encoder')).toBe(29_431_304);
  });

  test.each([
    ['VQ-8', VQ_8],
    ['odd', parseVqConfig(ODD)],
  ] as [string, VqConfig][])('is the size of the weights of the graphs: %s', (_, config) => {
    const count = (make: (g: Graph) => unknown): number => {
      const g = new Graph();
      make(g);
      const weights = g.residents.filter(({ life }) => life === 'weight');
      return weights.reduce((n, { shape }) => n + elementCount(shape), 0);
    };
    const grid = { images: 1, height: 3, width: 2 };
    const image = { images: 1, height: 17, width: 16 };
    const decode = (g: Graph): unknown => vqDecoder(g, config, grid, options);
    const encode = (g: Graph): unknown => vqEncoder(g, config, image, options);
    expect(vqParameterCount(config, 'decoder')).toBe(count(decode));
    expect(vqParameterCount(config, 'encoder')).toBe(count(encode));
    expect(vqParameterCount(config)).toBe(count((g) => [decode(g), encode(g)]));
  });
});

describe('shapes', () => {
  const config = parseVqConfig(ODD);

  test('the image has downsampleOf(config) pixels for each code', () => {
    const shape = { images: 2, height: 3, width: 5 };
    const { image, rgba } = vqDecoder(new Graph(), config, shape, options);
    expect([image.shape, rgba.shape]).toEqual([
      [2, 3, 12, 20],
      [2, 12, 20],
    ]);
  });

  test('the encoder halves odd sizes rounding down', () => {
    const shape = { images: 1, height: 11, width: 4 };
    expect(vqEncoder(new Graph(), config, shape, options).latent.shape).toEqual([1, 4, 2, 1]);
  });

  test('norm_out before its swish is computed only when asked for', () => {
    const shape = { images: 1, height: 1, width: 1 };
    const [plain, staged] = [new Graph(), new Graph()];
    expect(vqDecoder(plain, config, shape, options).stages.norm_out).toBeUndefined();
    const { stages } = vqDecoder(staged, config, shape, { ...options, stages: true });
    expect(stages.norm_out).toBeDefined();
    expect(staged.nodes.length).toBe(plain.nodes.length + 1);
  });

  test('sizes that cannot be are refused by name', () => {
    const decode = (shape: { images: number; height: number; width: number }) => () =>
      vqDecoder(new Graph(), config, shape, options);
    expect(decode({ images: 0, height: 1, width: 1 })).toThrow('"images" expected');
    expect(decode({ images: 1, height: 1.5, width: 1 })).toThrow('"height" expected');
    const small = { images: 1, height: 4, width: 3 };
    expect(() => vqEncoder(new Graph(), config, small, options)).toThrow(
      'encoder: "width" expected a whole number of at least 4, got 3',
    );
  });
});
