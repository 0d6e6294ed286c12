import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import {
  GPT_SIZES,
  type GptSize,
  gptConfig,
  gptParameterCount,
  gptWeightShapes,
  parseGptConfig,
} from '../../src/models/gpt-config.ts';
import { matchTensors } from '../../src/weights/join.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { memorySource } from '../../src/weights/source.ts';

const file = (path: string): Promise<Buffer> => readFile(new URL(path, import.meta.url));
const modelArgs = async (name: string): Promise<Record<string, unknown>> =>
  JSON.parse(String(await file(`../golden/${name}/config.json`))).model_args;

const small = { dim: 64, n_layer: 2, n_head: 4, vocab_size: 256, num_classes: 10, block_size: 16 };

describe('official sizes', () => {
  // In millions, as in table 1 of the paper and in the comments of gpt.py.
  test.each<[GptSize, number, number]>([
    ['GPT-B', 111, 1],
    ['GPT-L', 343, 1],
    ['GPT-XL', 775, 1],
    ['GPT-XXL', 1400, 100],
    ['GPT-XXXL', 3900, 100],
    ['GPT-1B', 1200, 100],
    ['GPT-3B', 3100, 100],
    ['GPT-7B', 6600, 100],
  ])('%s has the published %d million parameters', (size, millions, precision) => {
    const count = gptParameterCount(gptConfig(size, 16));
    expect(Math.round(count / 1e6 / precision) * precision).toBe(millions);
    expect(gptParameterCount(gptConfig(size, 24))).toBe(count);
  });

  test('GPT-3B in full', () => {
    expect(gptConfig('GPT-3B', 24)).toEqual({
      modelType: 'c2i',
      dim: 3200,
      nLayer: 24,
      nHead: 32,
      nKvHead: 32,
      headDim: 100,
      hiddenDim: 8704,
      vocabSize: 16384,
      numClasses: 1000,
      captionDim: 0,
      clsTokenNum: 1,
      blockSize: 576,
      gridSize: 24,
      ropeBase: 10000,
      normEps: 1e-5,
    });
  });

  test('every size is a valid config', () => {
    for (const size of Object.keys(GPT_SIZES) as GptSize[]) {
      expect(gptConfig(size, 32).gridSize).toBe(32);
    }
  });
});

describe('official ModelArgs', () => {
  test.each([
    'c2i_tiny',
    'c2i_tiny_f16',
    'c2i_tiny_bf16',
    'c2i_batch4',
    'c2i_odd_mha',
    'c2i_odd_gqa',
    't2i_tiny',
    't2i_120',
  ])('%s: derived sizes and every tensor of the reference', async (name) => {
    const args = await modelArgs(name);
    const config = parseGptConfig(args);
    expect({
      head_dim: config.headDim,
      n_kv_head: config.nKvHead,
      ffn_hidden: config.hiddenDim,
      grid_size: config.gridSize,
      rope_rows: config.blockSize + config.clsTokenNum,
    }).toEqual(args.derived);
    const bytes = await file(`../golden/${name}/model.safetensors`);
    matchTensors(await openSafetensors(memorySource(name, bytes)), gptWeightShapes(config));
  });

  test('only sizes without a sensible default are required', () => {
    expect(parseGptConfig(small)).toEqual(
      parseGptConfig({
        ...small,
        model_type: 'c2i',
        n_kv_head: null,
        ffn_dim_multiplier: null,
        multiple_of: 256,
        rope_base: 10000,
        norm_eps: 1e-5,
        cls_token_num: 1,
        caption_dim: 2048,
      }),
    );
    for (const field of Object.keys(small)) {
      const parse = (): unknown => parseGptConfig({ ...small, [field]: undefined });
      expect(parse).toThrow(`gpt: "${field}" expected a whole number from 1 to `);
      expect(parse).toThrow('got nothing');
    }
  });

  test('text in place of classes', () => {
    const { num_classes: _, ...sizes } = small;
    const official = parseGptConfig({ ...sizes, model_type: 't2i' });
    expect(official).toMatchObject({ numClasses: 0, captionDim: 2048, clsTokenNum: 120 });
    const given = { ...sizes, model_type: 't2i', caption_dim: 96, cls_token_num: 24 };
    expect(parseGptConfig(given)).toMatchObject({ captionDim: 96, clsTokenNum: 24 });
    expect(() => parseGptConfig({ ...given, cls_token_num: 0 })).toThrow(
      'gpt: "cls_token_num" expected a whole number from 1 to 4096, got 0',
    );
    expect(() => parseGptConfig({ ...given, caption_dim: 0.5 })).toThrow(
      'gpt: "caption_dim" expected a whole number from 1 to 65536, got 0.5',
    );
  });
});

describe('a bad field is named', () => {
  test.each<[fields: object, message: string]>([
    [{ dim: 66 }, '"dim" expected a multiple of n_head (4), got 66'],
    [{ dim: 72 }, '"dim" expected n_head (4) times a multiple of 4, for 2-D RoPE, got 72'],
    [{ dim: 64.5 }, '"dim" expected a whole number from 1 to 65536, got 64.5'],
    [{ dim: '64' }, '"dim" expected a whole number from 1 to 65536, got "64"'],
    [{ n_layer: 0 }, '"n_layer" expected a whole number from 1 to 1024, got 0'],
    [{ n_layer: 1e9 }, '"n_layer" expected a whole number from 1 to 1024, got 1000000000'],
    [{ n_kv_head: 3 }, '"n_kv_head" expected a divisor of n_head (4), got 3'],
    [{ block_size: 15 }, '"block_size" expected a square number'],
    [{ cls_token_num: 120 }, '"cls_token_num" expected a whole number from 1 to 1, got 120'],
    [{ rope_base: 0 }, '"rope_base" expected a number above 0, got 0'],
    [{ norm_eps: -1e-5 }, '"norm_eps" expected a number above 0, got -0.00001'],
    [{ ffn_dim_multiplier: 0 }, '"ffn_dim_multiplier" expected null or a number above 0'],
    [{ multiple_of: 0 }, '"multiple_of" expected a whole number from 1'],
    [{ model_type: 'x' }, '"model_type" expected "c2i" or "t2i", got "x"'],
  ])('%j', (fields, message) => {
    const parse = (): unknown => parseGptConfig({ ...small, ...fields }, 'model.json: gpt');
    expect(parse).toThrow(WeightsError);
    expect(parse).toThrow(`model.json: gpt: ${message}`);
  });

  test.each([null, 3, 'gpt', [small]])('%j is no object', (json) => {
    expect(() => parseGptConfig(json)).toThrow('gpt: expected an object, got ');
  });
});
