import { describe, expect, test } from 'vitest';
import {
  CHECKPOINTS,
  filesOf,
  findCheckpoint,
  nearModelNames,
  OFFICIAL_FILES,
  resolveCheckpoint,
} from '../../src/catalogue/checkpoints.ts';
import { OptionError } from '../../src/errors.ts';
import { T5_XL } from '../../src/models/t5-config.ts';
import { t5LayerShapes } from '../../src/models/t5-tensors.ts';

describe('the official files', () => {
  test('are the twelve of the two repositories', () => {
    const inRepo = (repo: string) =>
      OFFICIAL_FILES.filter((file) => file.repo === repo).map(({ file }) => file);
    expect(inRepo('FoundationVision/LlamaGen').sort()).toEqual(
      [
        'vq_ds16_c2i.pt',
        'vq_ds8_c2i.pt',
        'c2i_B_256.pt',
        'c2i_L_256.pt',
        'c2i_B_384.pt',
        'c2i_L_384.pt',
        'c2i_XL_384.pt',
        'c2i_XXL_384.pt',
        'c2i_3B_384.pt',
      ].sort(),
    );
    expect(inRepo('peizesun/llamagen_t2i').sort()).toEqual([
      't2i_XL_stage1_256.pt',
      't2i_XL_stage2_512.pt',
      'vq_ds16_t2i.pt',
    ]);
    expect(OFFICIAL_FILES).toHaveLength(12);
  });

  // Parameters in the tables of the paper and of the official repository.
  test.each([
    ['c2i_B_256', 111e6],
    ['c2i_L_384', 343e6],
    ['c2i_XL_384', 775e6],
    ['c2i_XXL_384', 1.4e9],
    ['c2i_3B_384', 3.1e9],
    ['t2i_XL_stage1_256', 775e6],
    ['vq_ds16_c2i', 72e6],
    ['vq_ds8_c2i', 70e6],
  ])('%s has the published %i parameters', (name, published) => {
    const file = OFFICIAL_FILES.find((official) => official.name === name);
    expect(Math.abs((file?.parameters ?? 0) / published - 1)).toBeLessThan(0.02);
    expect(file?.estimatedBytes).toBe(4 * (file?.parameters ?? 0));
  });
});

describe('the official models', () => {
  test('pair a decoder with the tokenizer of its repository', () => {
    const pairs = CHECKPOINTS.filter(({ gpt }) => gpt).map(({ gpt, vq }) => [gpt?.name, vq.name]);
    expect(pairs).toHaveLength(9);
    for (const [gpt, vq] of pairs) {
      expect(vq).toBe(gpt?.startsWith('c2i') ? 'vq_ds16_c2i' : 'vq_ds16_t2i');
    }
    expect(filesOf(resolveCheckpoint('c2i-B-256')).map(({ name }) => name)).toEqual([
      'vq_ds16_c2i',
      'c2i_B_256',
    ]);
    expect(filesOf(resolveCheckpoint('vq-ds8-c2i')).map(({ name }) => name)).toEqual([
      'vq_ds8_c2i',
    ]);
  });

  test.each([
    ['c2i-B-256', 16],
    ['c2i-L-384', 24],
    ['c2i-3B-384', 24],
    ['t2i-XL-512', 32],
    ['vq-ds16-c2i', undefined],
  ])('%s has a grid of %s', (name, grid) => {
    const checkpoint = resolveCheckpoint(name);
    expect(checkpoint.grid).toBe(grid);
    if (checkpoint.gptConfig) expect(checkpoint.gptConfig.gridSize).toBe(grid);
  });

  test('of texts have the encoder of FLAN-T5-XL', () => {
    const texts = CHECKPOINTS.filter(({ t5 }) => t5);
    expect(texts.map(({ name }) => name)).toEqual(['t2i-XL-256', 't2i-XL-512']);
    for (const { t5, gptConfig, conditionTokens } of texts) {
      expect(gptConfig).toMatchObject({ modelType: 't2i', captionDim: 2048, clsTokenNum: 120 });
      expect(conditionTokens).toBe(120);
      const shapes = [...t5LayerShapes(T5_XL), { shape: [T5_XL.vocabSize, T5_XL.dim] }];
      const count = shapes.reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0);
      // 4.9 GB of f32.
      expect(t5?.parameters).toBe(count);
    }
  });
});

describe('a name', () => {
  test.each(['c2i-B-256', 'c2i_B_256', 'C2I-b-256', ' c2i_B_256.pt '])(
    '%s is c2i-B-256',
    (name) => {
      expect(findCheckpoint(name)?.name).toBe('c2i-B-256');
    },
  );

  test.each(['t2i-XL-512', 't2i_XL_stage2_512', 't2i_xl_stage2_512.pt'])(
    '%s is t2i-XL-512, as its decoder is called too',
    (name) => {
      expect(findCheckpoint(name)?.name).toBe('t2i-XL-512');
    },
  );

  test.each([
    ['c2i-B-265', /did you mean c2i-B-256\b/],
    ['c2i-XXXL-384', /did you mean c2i-XXL-384\b/],
    ['3B', /did you mean c2i-3B-384\?/],
    ['vq-ds16', /vq-ds16-c2i or vq-ds16-t2i/],
    ['stable-diffusion', /there are c2i-B-256, .*vq-ds16-t2i/],
    ['', /there are/],
  ])('"%s" is refused', (name, message) => {
    expect(() => resolveCheckpoint(name)).toThrow(OptionError);
    expect(() => resolveCheckpoint(name)).toThrow(message);
  });

  test('suggests few', () => {
    expect(
      nearModelNames(
        CHECKPOINTS.map((c) => c.name),
        'c2i',
      ).length,
    ).toBeLessThanOrEqual(3);
  });
});
