/** Features of prompts: the same bits in any company, within a budget of memory, or a typed error. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { type CaptionFeatures, loadTextEncoder, type T5Encoder } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { fullDevice } from '../support/full-device.ts';
import { uniform } from '../support/random.ts';
import { bytesOf, writeSafetensors } from '../support/safetensors.ts';
import { filesOf, TINY_T5, t5Folder, t5Tensors } from '../support/tiny-t5.ts';

const device = await testDevice();
const next = uniform(3);
const promptOf = (length: number): number[] =>
  Array.from({ length }, (_, i) => (i === length - 1 ? 1 : Math.floor(next() * 50)));
/** Of several lengths, one longer than the distances that have biases of their own. */
const PROMPTS = [5, 1, 40, 12, 12, 3].map(promptOf);

let encoder: T5Encoder;
let together: readonly CaptionFeatures[];
beforeAll(async () => {
  encoder = await loadTextEncoder(device, t5Folder());
  together = await encoder.encode(PROMPTS);
});
afterAll(() => encoder.destroy());

const nothing = { weights: 0, state: 0, temp: 0, staging: 0 };
const sum = (memory: T5Encoder['memory']): number =>
  Object.values(memory).reduce((a, b) => a + b, 0);

describe('features', () => {
  test('are those of the tokens, without padding', () => {
    expect(together.map(({ tokens, dim }) => [tokens, dim])).toEqual(
      PROMPTS.map(({ length }) => [length, 24]),
    );
    for (const { values, tokens, dim } of together) {
      expect(values.length).toBe(tokens * dim);
      expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(0.1);
      expect(values.every(Number.isFinite)).toBe(true);
    }
    expect(together[3]!.values).not.toEqual(together[4]!.values);
  });

  test('have the same bits alone, in another order, and again', async () => {
    const alone: CaptionFeatures[] = [];
    for (const prompt of PROMPTS) alone.push(...(await encoder.encode([prompt])));
    expect(alone).toEqual(together);
    expect(await encoder.encode(PROMPTS.toReversed())).toEqual(together.toReversed());
  });

  test('have the same bits in batches that follow each other', async () => {
    // 30 times 41 rows and more are above what passes through the layers together.
    const many = Array.from({ length: 30 }, () => [PROMPTS[2]!, PROMPTS[1]!]).flat();
    const got = await encoder.encode(many);
    expect(got.length).toBe(60);
    for (const [i, features] of got.entries()) {
      expect(features).toEqual(together[i % 2 === 0 ? 2 : 1]);
    }
  });

  test('are asked for side by side', async () => {
    const [a, b] = await Promise.all([
      encoder.encode(PROMPTS.slice(0, 2)),
      encoder.encode(PROMPTS.slice(2)),
    ]);
    expect([...a, ...b]).toEqual(together);
  });

  test('depend on every token of their prompt', async () => {
    const [prompt] = PROMPTS as [number[]];
    const other = prompt.map((id, i) => (i === 2 ? (id + 1) % 50 : id));
    const [changed] = await encoder.encode([other]);
    for (let token = 0; token < prompt.length; token++) {
      const [a, b] = [together[0], changed].map((f) =>
        f!.values.slice(token * 24, (token + 1) * 24),
      );
      expect(a).not.toEqual(b);
    }
  });
});

describe('layers in groups', () => {
  test.each([
    ['of one', 1, 24_000],
    ['of two', 2, 45_000],
  ])('%s make the same bits, and leave nothing', async (_, layers, maxWeightBytes) => {
    const streamed = await loadTextEncoder(device, t5Folder(), { maxWeightBytes });
    expect(streamed.layersAtOnce).toBe(layers);
    expect(streamed.memory).toEqual(nothing);
    const progress: number[] = [];
    const onProgress = (done: number, total: number) => void progress.push(done / total);
    expect(await streamed.encode(PROMPTS, { onProgress })).toEqual(together);
    expect(streamed.memory).toEqual(nothing);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);
    expect(streamed.fingerprint).toBe(encoder.fingerprint);
    streamed.destroy();
  });

  test('take no more than their weights and what passes through', async () => {
    const all = await loadTextEncoder(device, t5Folder());
    const resident = all.peakBytes;
    await all.encode(PROMPTS);
    const passing = all.peakBytes - resident;
    all.destroy();
    const one = await loadTextEncoder(device, t5Folder(), { maxWeightBytes: 24_000 });
    await one.encode(PROMPTS);
    // Weights begin at multiples of 256 bytes: those of a layer and what is beside them.
    expect(one.peakBytes).toBeLessThanOrEqual(24_000 + 11 * 256 + passing);
    expect(one.peakBytes).toBeLessThan(resident + passing);
    one.destroy();
  });

  test('of three are what a device is given that has not the memory for all', async () => {
    const json = { ...TINY_T5, num_layers: 9 };
    const folder = () => t5Folder(t5Tensors(json), json);
    const whole = await loadTextEncoder(device, folder());
    const expected = await whole.encode(PROMPTS);
    const { weights } = whole.memory;
    whole.destroy();
    const small = await loadTextEncoder(fullDevice(device, 0.9 * weights), folder());
    expect(small.layersAtOnce).toBe(3);
    expect(small.memory).toEqual(nothing);
    expect(await small.encode(PROMPTS)).toEqual(expected);
    small.destroy();
    // What was asked for is not made otherwise.
    const asked = { maxWeightBytes: 2 * weights };
    const loading = loadTextEncoder(fullDevice(device, 0.9 * weights), folder(), asked);
    await expect(loading).rejects.toMatchObject({ problem: 'out-of-memory' });
    const tiny = await loadTextEncoder(fullDevice(device, 1000), folder());
    await expect(tiny.encode(PROMPTS)).rejects.toMatchObject({ problem: 'out-of-memory' });
    expect(tiny.memory).toEqual(nothing);
    tiny.destroy();
  });

  test('are too small where no layer fits', async () => {
    const loading = loadTextEncoder(device, t5Folder(), { maxWeightBytes: 1000 });
    await expect(loading).rejects.toThrow(/"maxWeightBytes" expected at least \d+, the bytes/);
  });
});

describe('memory', () => {
  test('is free after destroy, and nothing can be encoded', async () => {
    const gone = await loadTextEncoder(device, t5Folder());
    await gone.encode(PROMPTS);
    expect(sum(gone.memory)).toBeGreaterThan(0);
    gone.destroy();
    expect(gone.memory).toEqual(nothing);
    await expect(gone.encode(PROMPTS)).rejects.toMatchObject({ problem: 'destroyed' });
  });

  test.each([undefined, 24_000])('is free when destroyed meanwhile, budget %s', async (budget) => {
    const gone = await loadTextEncoder(device, t5Folder(), { maxWeightBytes: budget });
    const encodings = [gone.encode(PROMPTS), gone.encode(PROMPTS)];
    const ended = Promise.all(
      encodings.map((e) => expect(e).rejects.toMatchObject({ problem: 'destroyed' })),
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
    gone.destroy();
    await ended;
    expect(gone.memory).toEqual(nothing);
  });

  test('does not grow with the number of prompts that were encoded', async () => {
    await encoder.encode(PROMPTS);
    const before = encoder.memory;
    await encoder.encode([PROMPTS[2]!]);
    await encoder.encode(PROMPTS);
    expect(encoder.memory).toEqual(before);
  });

  test('holds no more of the embedding table than the rows of a prompt', async () => {
    const files = t5Folder();
    const fresh = await loadTextEncoder(device, files);
    files.reads.length = 0;
    await fresh.encode([[7, 9, 7, 1]]);
    expect(files.reads.map(([, , length]) => length)).toEqual([96, 96, 96]);
    fresh.destroy();
  });
});

describe('files', () => {
  const json = new TextEncoder().encode(JSON.stringify(TINY_T5));

  test('may be bf16, which gives the features of those values', async () => {
    const halved = await loadTextEncoder(device, t5Folder(t5Tensors(TINY_T5, 'BF16')));
    const [features] = await halved.encode(PROMPTS.slice(0, 1));
    const packed = await loadTextEncoder(device, t5Folder(t5Tensors(TINY_T5, 'BF16')), {
      dtype: 'bf16',
    });
    const [unpacked] = await packed.encode(PROMPTS.slice(0, 1));
    for (const [i, value] of features!.values.entries()) {
      expect(unpacked!.values[i]).toBeCloseTo(value, 4);
    }
    expect(packed.modelDigest).toBe(halved.modelDigest);
    expect(packed.fingerprint).not.toBe(halved.fingerprint);
    expect(halved.modelDigest).not.toBe(encoder.modelDigest);
    halved.destroy();
    packed.destroy();
  });

  test('may be shards in a folder of their own, with a decoder beside and the table under its other name', async () => {
    const { 'shared.weight': table, ...tensors } = t5Tensors();
    const first = { 'encoder.embed_tokens.weight': table! };
    const bytes = bytesOf(Float32Array.of(1, 2));
    const decoder = { 'decoder.final_layer_norm.weight': { dtype: 'F32', shape: [2], bytes } };
    const second = {
      ...tensors,
      ...decoder,
      'lm_head.weight': decoder['decoder.final_layer_norm.weight'],
    };
    const place = (names: object, file: string) => Object.keys(names).map((name) => [name, file]);
    const index = {
      weight_map: Object.fromEntries([
        ...place(first, 'model-00001-of-00002.safetensors'),
        ...place(second, 'model-00002-of-00002.safetensors'),
      ]),
    };
    const files = filesOf({
      't5/config.json': json,
      't5/model.safetensors.index.json': new TextEncoder().encode(JSON.stringify(index)),
      't5/model-00001-of-00002.safetensors': writeSafetensors(first),
      't5/model-00002-of-00002.safetensors': writeSafetensors(second),
    });
    const sharded = await loadTextEncoder(device, files);
    expect(await sharded.encode(PROMPTS)).toEqual(together);
    expect(sharded.fingerprint).toBe(encoder.fingerprint);
    sharded.destroy();
  });

  test('may have a table with rows that no id has', async () => {
    const tensors = t5Tensors();
    const { bytes, ...table } = tensors['shared.weight']!;
    const longer = new Uint8Array(bytes.byteLength + 3 * 96);
    longer.set(bytes);
    tensors['shared.weight'] = { ...table, shape: [53, 24], bytes: longer };
    const padded = await loadTextEncoder(device, t5Folder(tensors));
    expect(await padded.encode(PROMPTS)).toEqual(together);
    padded.destroy();
  });

  const without = (pattern: RegExp) =>
    Object.fromEntries(Object.entries(t5Tensors()).filter(([name]) => !pattern.test(name)));
  const wi0 = 'encoder.block.1.layer.1.DenseReluDense.wi_0.weight';
  const renamed = (from: RegExp, to: string) =>
    Object.fromEntries(Object.entries(t5Tensors()).map(([n, t]) => [n.replace(from, to), t]));
  test.each([
    [
      'no encoder',
      filesOf({}),
      /has no text encoder: there is none of t5.json, t5\/config.json; .*features/,
    ],
    [
      'no weights',
      filesOf({ 't5.json': json }),
      /there is none of t5.safetensors, t5.safetensors.index/,
    ],
    [
      'a missing tensor',
      t5Folder(without(/block.1.*wi_0/)),
      `not those of the T5 v1.1 encoder that its config describes\n1 missing:\n  "${wi0}" [40,24]`,
    ],
    [
      'no table',
      t5Folder(without(/shared/)),
      /no embedding table: none of shared.weight, encoder.embed/,
    ],
    [
      'another vocabulary',
      t5Folder(t5Tensors(), { ...TINY_T5, vocab_size: 60 }),
      /"shared.weight" expected shape \[60, 24\] \(vocab_size, d_model\), got \[50,24\]/,
    ],
    ['other heads', t5Folder(t5Tensors(), { ...TINY_T5, num_heads: 3 }), /13 of another shape/],
    [
      'another size',
      t5Folder(t5Tensors(), { ...TINY_T5, d_model: 32 }),
      /shared.weight" expected shape \[50, 32\]/,
    ],
    ['more layers', t5Folder(t5Tensors(), { ...TINY_T5, num_layers: 4 }), /9 missing/],
    ['fewer layers', t5Folder(t5Tensors(), { ...TINY_T5, num_layers: 2 }), /9 unexpected/],
    ['T5 1.0', t5Folder(renamed(/wi_0/, 'wi')), /is a T5 1.0, without gates/],
    [
      'only a decoder',
      t5Folder(renamed(/^encoder/, 'decoder')),
      /no layers of a T5 encoder .*, but those of a decoder/,
    ],
    [
      'another model',
      t5Folder({ 'model.embed.weight': t5Tensors()['shared.weight']! }),
      /has no layers of a T5 encoder/,
    ],
    [
      'values that are not finite',
      t5Folder({
        ...t5Tensors(),
        [wi0]: {
          dtype: 'F32',
          shape: [40, 24],
          bytes: bytesOf(new Float32Array(960).fill(Number.NaN, 5, 6)),
        },
      }),
      /expected finite values, got NaN at 5/,
    ],
  ] as const)('with %s are refused', async (_, files, message) => {
    const loading = loadTextEncoder(device, files);
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toBeInstanceOf(WeightsError);
  });
});

describe('what cannot be encoded', () => {
  test.each([
    [[], /"ids" expected token ids of at least one prompt, got \[\]/],
    [undefined, /at least one prompt/],
    [[5], /prompt 0 expected an array of token ids, got 5/],
    [[[1], []], /prompt 1 has no tokens: even an empty text has its end token/],
    [[Array(121).fill(1)], /prompt 0 has 121 tokens, and this encoder takes 120 at most/],
    [[[1, 50]], /prompt 0: token 1 expected an id from 0 to 49, got 50: is the tokenizer that of/],
    [[[1], [-1]], /prompt 1: token 0 .* got -1/],
    [[[1.5]], /got 1.5/],
  ])('%j', async (ids, message) => {
    const encoding = encoder.encode(ids as number[][]);
    await expect(encoding).rejects.toThrow(message);
    await expect(encoding).rejects.toMatchObject({ name: 'OptionError' });
  });

  test('options that there are not', async () => {
    const load = (options: object) => loadTextEncoder(device, t5Folder(), options);
    await expect(load({ dtype: 'f16' })).rejects.toThrow(/"dtype" expected auto, f32, bf16/);
    await expect(load({ maxlength: 5 })).rejects.toThrow(/did you mean "maxLength"/);
    await expect(encoder.encode([[1]], { sginal: 1 } as object)).rejects.toThrow(/"signal"/);
  });

  test('features that are not finite', async () => {
    const tensors = t5Tensors();
    const gain = 'encoder.final_layer_norm.weight';
    const bytes = bytesOf(new Float32Array(24).fill(3e38));
    const broken = await loadTextEncoder(
      device,
      t5Folder({ ...tensors, [gain]: { ...tensors[gain]!, bytes } }),
    );
    await expect(broken.encode([[1]])).rejects.toThrow(/features of prompt 0 are not finite/);
    broken.destroy();
  });
});

describe('a signal', () => {
  test('that has aborted ends loading and encoding at once', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(loadTextEncoder(device, t5Folder(), { signal })).rejects.toThrow('enough');
    await expect(encoder.encode(PROMPTS, { signal })).rejects.toThrow('enough');
  });

  test('ends a stream of layers between them, and leaves nothing', async () => {
    const streamed = await loadTextEncoder(device, t5Folder(), { maxWeightBytes: 24_000 });
    const aborting = new AbortController();
    const onProgress = (done: number, total: number): void => {
      if (done > total / 2) aborting.abort(new Error('enough'));
    };
    const encoding = streamed.encode(PROMPTS, { signal: aborting.signal, onProgress });
    await expect(encoding).rejects.toThrow('enough');
    expect(streamed.memory).toEqual(nothing);
    expect(await streamed.encode(PROMPTS)).toEqual(together);
    streamed.destroy();
  });
});
