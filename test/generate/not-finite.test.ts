/** Numbers that are not finite end in an error that says where, and never in a picture. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  decodeTokens,
  encodePictures,
  generate,
  loadModel,
  type Model,
  scoreTokens,
  tokenLoop,
  WeightsError,
} from '../../src/index.ts';
import { codebookInspector } from '../../src/load/codebook.ts';
import { VQ_16 } from '../../src/models/vq-config.ts';
import { testDevice } from '../support/device.ts';
import { type TinyOptions, tinyFolder } from '../support/tiny-model.ts';

/** Compiling a model on a processor that other tests use too. */
const RUN_MS = 120_000;
const [DIM, BLOCK_SIZE] = [64, 16];
const [LABELS, TOKENS] = ['cls_embedding.embedding_table.weight', 'tok_embeddings.weight'];

let device: GPUDevice;
beforeAll(async () => {
  device = await testDevice();
});

const opened: Model[] = [];
afterEach(() => {
  for (const model of opened.splice(0)) model.destroy();
});

async function tiny(options?: TinyOptions): Promise<Model> {
  const encoder = options?.encoder ?? false;
  const model = await loadModel(device, tinyFolder(options), { encoder, precision: 'exact' });
  opened.push(model);
  return model;
}

/** Sets the values from `first` up to `end` of one weight. */
const set =
  (wanted: string, value: number, first = 0, end?: number) =>
  (name: string, values: Float32Array): void => {
    if (name === wanted) values.fill(value, first, end);
  };

const all =
  (...changes: readonly ReturnType<typeof set>[]) =>
  (name: string, values: Float32Array): void => {
    for (const change of changes) change(name, values);
  };

const row = (name: string, index: number, value: number) =>
  set(name, value, index * DIM, (index + 1) * DIM);

async function expectRefused(work: Promise<unknown>, message: RegExp): Promise<void> {
  await expect(work).rejects.toThrow(message);
  await expect(work).rejects.toBeInstanceOf(WeightsError);
}

describe('tokens', { timeout: RUN_MS }, () => {
  test('weights that overflow: the first image and step, its class and seed, and no progress after', async () => {
    // Of sums of random values so large some would cancel: the norm before makes them larger.
    const change = all(set('norm.weight', 1e3), set('output.weight', 3e38));
    const model = await tiny({ change });
    const phases = new Set<string>();
    const asked = generate(model, {
      classes: [2, 1],
      seed: 7,
      onProgress: ({ phase }) => phases.add(phase),
    });
    await expectRefused(asked, /^image 0 \(class 2, seed 7\), step 0 of 16: .*not finite/);
    expect([...phases]).toEqual(['compile', 'tokens']);
  });

  test('one class that overflows: its image, in one batch and in several', async () => {
    // Its squares overflow in the first norm, whose output was zero once: a picture from noise.
    const model = await tiny({ change: row(LABELS, 3, 1e30) });
    for (const batch of [3, 1]) {
      const asked = generate(model, { classes: [0, 1, 3], seed: 5, batch });
      await expectRefused(asked, /^image 2 \(class 3, seed 7\), step 0 of 16/);
    }
    expect((await generate(model, { classes: [0, 1], seed: 5 })).images).toHaveLength(2);
  });

  test('a token that overflows: the step after it is drawn; the other images stay the same', async () => {
    const how = { classes: [1], greedy: true, cfgScale: 1 };
    const [image] = (await generate(await tiny(), how)).images;
    const tokens = [...image!.tokens];
    // A token that comes first somewhere behind the beginning and before the end.
    const step = tokens.findIndex((t, i) => i > 0 && tokens.indexOf(t) === i);
    const model = await tiny({ change: row(TOKENS, tokens[step]!, 1e30) });
    await expectRefused(generate(model, how), new RegExp(`^image 0 .*step ${step + 1} of 16`));
  });

  test('a token loop of its own: the sequence, also one whose tokens are given', async () => {
    const model = await tiny({ change: row(LABELS, 2, 1e30) });
    const loop = await tokenLoop(model.gpt, { sequences: 2, guided: false });
    const how = { seed: 3, cfgScale: 1, cfgInterval: -1, temperature: 1, topK: 0, topP: 1 };
    loop.start([
      { ...how, label: 0, greedy: false, given: 0 },
      { ...how, label: 2, greedy: false, given: BLOCK_SIZE, tokens: Array(BLOCK_SIZE).fill(1) },
    ]);
    await loop.run(2);
    await expectRefused(loop.readTokens(), /^image 1 \(class 2, seed 3\), step 0/);
    await expectRefused(loop.readTokens(10), /^image 11 /);
    loop.destroy();
  });

  test('halves in the cache are named as a cause', async () => {
    const change = (name: string, values: Float32Array) =>
      name.endsWith('wqkv.weight') ? values.fill(1e6) : undefined;
    const files = tinyFolder({ change });
    const model = await loadModel(device, files, { kvDtype: 'f16' });
    opened.push(model);
    await expectRefused(generate(model, { classes: [0] }), /step \d+ .*kvDtype "f32"/);
  });

  test('scores: the grid and the position', async () => {
    const model = await tiny({ change: row(TOKENS, 9, 1e30) });
    const grid = (tokens: number[]) => ({ label: 0, tokens });
    const fine = Array(BLOCK_SIZE).fill(1);
    // Row p predicts token p, and reads the token before it.
    const asked = scoreTokens(model.gpt, [grid(fine), grid(fine.with(4, 9))]);
    await expectRefused(asked, /^grid 1, position 5: .*not finite/);
  });
});

describe('pixels', { timeout: RUN_MS }, () => {
  const grid = Array(BLOCK_SIZE).fill(3);

  test.each([
    [
      'a last layer that overflows',
      all(set('decoder.norm_out.bias', 1e3), set('decoder.conv_out.weight', 3e38)),
    ],
    [
      'a first layer whose squares overflow in the norm after it',
      set('decoder.conv_in.weight', 1e25),
    ],
  ])('%s: the image and the first pixel', async (_, change) => {
    const model = await tiny({ change });
    const message =
      /^image 0: 6[34] of its 64 pixels are not finite .* row 0, column 0: the tokenizer/;
    await expectRefused(decodeTokens(model, [grid, grid]), message);
    await expectRefused(generate(model, { classes: [1] }), message);
  });

  test('one code that overflows: the image that has it', async () => {
    const vq = { codebook_l2_norm: false };
    const model = await tiny({
      vq,
      change: set('quantize.embedding.weight', 1e38, 8 * 60, 8 * 61),
    });
    await expectRefused(decodeTokens(model, [grid, grid.with(15, 60)]), /^image 1: /);
    expect(await decodeTokens(model, [grid])).toHaveLength(1);
  });

  test('an encoder that overflows: the picture and the latent', async () => {
    const model = await tiny({ encoder: true, change: set('quant_conv.weight', 3e38) });
    const picture = { width: 4, height: 4, rgba: new Uint8ClampedArray(64).fill(200) };
    await expectRefused(encodePictures(model, [picture]), /^picture 0: its latent 0 is not finite/);
  });
});

describe('codebooks', () => {
  const codebook = (value: number) => set('quantize.embedding.weight', value, 8 * 5, 8 * 6);

  test.each([
    ['all zero', 0, /^vq\.safetensors: .*"quantize\.embedding\.weight": row 5 is all zero/],
    ['too short to be normalised', 1e-20, /row 5 has the length 2\.83e-20/],
    ['too long for its square', 1e19, /row 5 has the length 2\.83e\+19/],
  ])(
    'a row that is %s is refused, unless rows are taken as they are',
    async (_, value, message) => {
      const change = codebook(value);
      await expectRefused(loadModel(device, tinyFolder({ change })), message);
      await tiny({ change, vq: { codebook_l2_norm: false } });
    },
  );

  test('rows that are cut into pieces are looked at as rows', () => {
    const rows = new Float32Array(4 * 8).fill(1).fill(0, 16, 24);
    const bytes = new Uint8Array(rows.buffer);
    for (const piece of [128, 64, 24, 8]) {
      const inspect = codebookInspector('a', VQ_16);
      const look = (name: string) => {
        for (let at = 0; at < bytes.length; at += piece) {
          inspect?.(name, 'F32', bytes.slice(at, at + piece));
        }
      };
      look('another.weight');
      expect(() => look('quantize.embedding.weight')).toThrow(/row 2 is all zero/);
    }
    expect(codebookInspector('a', { ...VQ_16, codebookL2Norm: false })).toBeUndefined();
  });
});
