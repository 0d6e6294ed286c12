/** What callers in JavaScript may pass by mistake: each is refused by name, before anything is loaded. */
import { describe, expect, test } from 'vitest';
import { runSteps } from '../../src/engine/run-steps.ts';
import { tokenLoop } from '../../src/engine/token-loop.ts';
import { generateSettings } from '../../src/generate/settings.ts';
import {
  decodeTokens,
  encodePictures,
  generate,
  loadModel,
  type Model,
  OptionError,
  parseModelJson,
  scoreTokens,
} from '../../src/index.ts';
import { show } from '../../src/options.ts';
import { readExactly } from '../../src/weights/source.ts';
import { tinyFolder } from '../support/tiny-model.ts';

const files = tinyFolder();
const source = await files.open('model.json');
const text = await readExactly(source, 0, source.byteLength);
const config = parseModelJson(new TextDecoder().decode(text), 'model.json');

/** A model whose networks end the test when they are used: all of this is refused before. */
const used = (): never => {
  throw new Error('the model was used');
};
const network = (own: object) => ({
  config: own,
  exclusive: used,
  cached: used,
  weights: new Map(),
});
const model = {
  name: 'tiny',
  config,
  gpt: network(config.gpt),
  vq: network(config.vq),
} as unknown as Model;
const device = { createBuffer: used, createComputePipelineAsync: used } as unknown as GPUDevice;

type Bad = readonly [what: string, value: unknown, message: RegExp];

/** Options that several functions have, of the wrong type. */
const common: readonly Bad[] = [
  [
    'a signal that is its controller',
    { signal: new AbortController() },
    /"signal" expected an AbortSignal, got AbortController/,
  ],
  [
    'a callback that is text',
    { onProgress: 'console.log' },
    /"onProgress" expected a function, got "console.log"/,
  ],
  ['null', { signal: null }, /"signal" expected an AbortSignal, got null/],
];

/** Beside one class, unless they have others. */
const generating: readonly Bad[] = [
  ...common,
  ['one class', { classes: 3 }, /"classes" expected an array of numbers, got 3/],
  ['classes as text', { classes: '1,2' }, /"classes" expected an array of numbers, got "1,2"/],
  ['a class as text', { classes: ['1'] }, /"class" expected an integer from 0 to 3, got "1"/],
  ['a class that is missing', { classes: [1, undefined] }, /"class" .* got undefined/],
  ['a hole among the classes', { classes: Array(2) }, /"class" .* got undefined/],
  ['seed as text', { seed: '7' }, /"seed" expected an integer from 0 .*, got "7"/],
  ['seed null', { seed: null }, /"seed" .* got null/],
  ['seed as bigint', { seed: 5n }, /"seed" .* got 5n/],
  ['cfgScale as text', { cfgScale: '4' }, /"cfgScale" expected a number from 0 to 1000, got "4"/],
  ['cfgScale null', { cfgScale: null }, /"cfgScale" .* got null/],
  ['cfgScale as a list', { cfgScale: [4] }, /"cfgScale" .* got \[4\]/],
  ['temperature as text', { temperature: '1' }, /"temperature" .* got "1"/],
  ['topP true', { topP: true }, /"topP" expected a number from 0 to 1, got true/],
  ['topK as text', { topK: '5' }, /"topK" .* got "5"/],
  ['a window too large', { window: 65 }, /"window" .* from 1 to 64 or "auto", got 65/],
  ['no window', { window: 0 }, /"window" .* got 0/],
  ['greedy as text', { greedy: 'no' }, /"greedy" expected true or false, got "no"/],
  ['greedy as a number', { greedy: 0 }, /"greedy" expected true or false, got 0/],
  ['batch as text', { batch: '2' }, /"batch" .* got "2"/],
  ['a profiler that is none', { profiler: true }, /"profiler" expected a profiler .*, got true/],
  ['a prefix as text', { prefix: '12' }, /"prefix" expected an array of numbers, got "12"/],
  ['a token outside', { prefix: [1, 64] }, /"prefix: token" expected .* 0 to 63, got 64/],
  ['a long prefix', { prefix: Array(17).fill(0) }, /"prefix" has 17 tokens, .* has 16/],
  ['previews for nobody', { previewEvery: 4 }, /"onPreview" and "previewEvery" need each other/],
  ['previews at no time', { onPreview: () => {} }, /need each other/],
  ['another case', { topk: 5 }, /generate: there is no option "topk": did you mean "topK"\?/],
  ['another spelling', { cfg_scale: 5 }, /"cfg_scale": did you mean "cfgScale"\?/],
  ['a misspelt one', { temprature: 1 }, /"temprature": did you mean "temperature"\?/],
  [
    'a name of another project',
    { numInferenceSteps: 9 },
    /no option "numInferenceSteps", but .*classes, captions, seed/,
  ],
  ['a name that every object has', { toString: 1 }, /no option "toString"/],
];

describe('generate', () => {
  test.each<Bad>([
    ['no options', undefined, /generate: expected an object of options, got undefined/],
    ['null', null, /expected an object of options, got null/],
    ['an array', [1], /expected an object of options, got \[1\]/],
    ['no classes', {}, /"classes" expected an array of numbers, got undefined/],
    ...generating.map(
      ([what, bad, message]): Bad => [what, { classes: [1], ...Object(bad) }, message],
    ),
  ])('%s', async (_, options, message) => {
    const asked = generate(model, options as { classes: number[] });
    await expect(asked).rejects.toThrow(message);
    await expect(asked).rejects.toBeInstanceOf(OptionError);
  });

  test('what is undefined counts as left out, and classes may be in any array', () => {
    const plain = generateSettings(config, { classes: [1, 2] });
    const given = { seed: undefined, topK: undefined, nothing: undefined };
    const classes = Uint8Array.of(1, 2) as unknown as number[];
    expect(generateSettings(config, { classes, ...given } as never)).toEqual(plain);
  });

  test.each([
    [
      'a promise of a model',
      Promise.resolve(model),
      /"generate: model" expected a model .* got Promise/,
    ],
    ['a name', 'fruits-96', /got "fruits-96"/],
    ['half of a model', { ...model, vq: undefined }, /expected a model .* got an object/],
    ['nothing', undefined, /got undefined/],
  ])('%s', async (_, wrong, message) => {
    await expect(generate(wrong as unknown as Model, { classes: [1] })).rejects.toThrow(message);
    await expect(decodeTokens(wrong as unknown as Model, [])).rejects.toThrow(OptionError);
    await expect(encodePictures(wrong as unknown as Model, [])).rejects.toThrow(OptionError);
  });
});

test.each<Bad>([
  ...common,
  ['an unknown dtype', { dtype: 'fp16' }, /"dtype" expected auto, f32, .*, got "fp16"/],
  ['an unknown dtype of the cache', { kvDtype: 'bf16' }, /"kvDtype" expected f32, f16, got "bf16"/],
  ['bytes as text', { maxBindingBytes: '1e6' }, /"maxBindingBytes" .* got "1e6"/],
  ['encoder as text', { encoder: 'yes' }, /"encoder" expected true or false, got "yes"/],
  ['a variant as text', { variant: 'serial' }, /"variant" expected .*, got "serial"/],
  [
    'lanes that no subgroup has',
    { variant: { lanes: 12 } },
    /"lanes" expected one of 4, 8, .*, got 12/,
  ],
  [
    'a small workgroup',
    { variant: { invocations: 16 } },
    /"invocations" expected an integer from 64 up, got 16/,
  ],
  [
    'an unknown way to sum',
    { variant: { reduce: 'fast' } },
    /"reduce" expected one of serial, .* got "fast"/,
  ],
  [
    'an unknown part of a variant',
    { variant: { lane: 4 } },
    /variant: .*"lane": did you mean "lanes"/,
  ],
  ['a misspelt option', { dType: 'f16' }, /loadModel: .*"dType": did you mean "dtype"/],
  ['null for all', null, /loadModel: expected an object of options, got null/],
])('loadModel: %s', async (_, options, message) => {
  const asked = loadModel(device, files, options as object);
  await expect(asked).rejects.toThrow(message);
  await expect(asked).rejects.toBeInstanceOf(OptionError);
});

describe('a window', () => {
  /** Of a grid of 16 tokens. */
  const settings = (window: number | 'auto' | undefined, images = 1, cfgScale = 2) =>
    generateSettings(config, { classes: Array(images).fill(0), cfgScale, window });

  test('is as it was asked for, or left to the engine', () => {
    expect(settings(undefined)).toMatchObject({ window: 'auto', note: undefined });
    expect(settings(8)).toMatchObject({ window: 8, note: undefined });
  });

  test('is cut to the grid, which is said', () => {
    const { window, note } = settings(17);
    expect(window).toBe(16);
    expect(note).toMatch(/^a window of 17 is cut to 16: .*$/);
  });

  test('is cut to the rows of a pass, which is said', () => {
    const large = { ...config, gpt: { ...config.gpt, blockSize: 256 } };
    const asked = { classes: [0], window: 64 };
    expect(generateSettings(large, { ...asked, cfgScale: 1 })).toMatchObject({ window: 64 });
    const { window, note } = generateSettings(large, { ...asked, cfgScale: 2 });
    expect(window).toBe(32);
    expect(note).toMatch(/^a window of 64 is cut to 32: .*64, two a position with guidance/);
  });

  test('is smaller beside other images, which is said', () => {
    expect(settings(8, 4).note).toBeUndefined();
    expect(settings(8, 5).note).toMatch(/^5 images .* want 80 rows a pass, and there are 64: /);
    expect(settings(8, 8, 1).note).toBeUndefined();
  });
});

test('loadModel: what is no device and no folder', async () => {
  const opened = { device, close: used } as unknown as GPUDevice;
  await expect(loadModel(opened, files)).rejects.toThrow(
    /"device" expected a GPUDevice, got an object/,
  );
  const path = 'models/x' as unknown as typeof files;
  await expect(loadModel(device, path)).rejects.toThrow(
    /"files" expected .* openFolder .* "models\/x"/,
  );
});

const grid = Array(16).fill(0);

test.each<Bad>([
  ...common,
  ['a misspelt option', { gird: [4, 4] }, /decodeTokens: .*"gird": did you mean "grid"/],
  ['one side', { grid: [4] }, /"grid" expected an array of two integers .*, got \[4\]/],
  ['sides as text', { grid: ['4', '4'] }, /"grid" .* got \["4", "4"\]/],
])('decodeTokens: %s', async (_, options, message) => {
  await expect(decodeTokens(model, [grid], options as object)).rejects.toThrow(message);
});

test.each<Bad>([
  ['one grid', Uint32Array.from(grid), /"grids" expected an array of token grids, got Uint32Array/],
  ['one grid as an array', grid, /"grids" expected an array of token grids, got an array of 16/],
  ['nothing', null, /"grids" .* got null/],
  ['a token as text', [grid.with(3, '3')], /image 0: token 3 is "3", and the codebook/],
])('decodeTokens: %s', async (_, grids, message) => {
  await expect(decodeTokens(model, grids as number[][])).rejects.toThrow(message);
});

test('encodePictures', async () => {
  const encoding = { ...model, vq: { ...model.vq, weights: new Map([['quant_conv.weight', 1]]) } };
  const encode = (pictures: unknown, options?: object) =>
    encodePictures(encoding as unknown as Model, pictures as [], options);
  const rgba = new Uint8ClampedArray(16 * 4);
  for (const [pictures, options, message] of [
    [[], { onprogress: used }, /"onprogress": did you mean "onProgress"/],
    [{}, {}, /"pictures" expected an array of pictures, got an object/],
    [[null], {}, /"pictures" .* got \[null\]/],
    [[{ width: '4', height: 4, rgba }], {}, /"width" expected a positive multiple of 2, got "4"/],
    [[{ width: 4, height: 4, rgba: Array(64).fill(0) }], {}, /rgba" expected a Uint8ClampedArray/],
    [[{ width: 4, height: 4, rgba: new Float32Array(64) }], {}, /rgba" .* got Float32Array/],
    [[{ width: 4, height: 4 }], {}, /rgba" .* got undefined/],
  ] as const) {
    await expect(encode(pictures, options), String(message)).rejects.toThrow(message);
  }
});

test('scoreTokens', async () => {
  const score = (grids: unknown) => scoreTokens(model.gpt, grids as []);
  for (const [grids, message] of [
    [null, /"grids" expected an array of grids, got null/],
    [[{ label: '1', tokens: grid }], /grid 0: label "1" is not in 0 \.\. 4/],
    [[{ label: 1.5, tokens: grid }], /label 1\.5 is not/],
    [[{ label: 1, tokens: grid.with(2, '2') }], /grid 0: expected 16 tokens in 0 \.\. 63/],
    [[{ label: 1, tokens: grid.with(2, 0.5) }], /expected 16 tokens/],
    [[{ label: 1 }], /"grid 0: tokens" expected an array of numbers, got undefined/],
  ] as const) {
    await expect(score(grids), String(message)).rejects.toThrow(message);
  }
  const whole = model as unknown as Model['gpt'];
  await expect(scoreTokens(whole, [])).rejects.toThrow(/"network" expected .*model\.gpt/);
});

test('token loops and their runs', async () => {
  const batch = (given: object) => tokenLoop(model.gpt, given as { sequences: 1; guided: false });
  await expect(batch({ sequences: '2', guided: false })).rejects.toThrow(/"sequences" .* got "2"/);
  await expect(batch({ sequences: 2, guided: 1 })).rejects.toThrow(/"guided" .* got 1/);
  await expect(batch({ sequence: 2 })).rejects.toThrow(/"sequence": did you mean "sequences"/);
  const runner = {} as Parameters<typeof runSteps>[0];
  for (const [steps, options, message] of [
    ['4', {}, /"steps" .* got "4"/],
    [4, { chunk: 0 }, /"chunk" expected an integer from 1 .* got 0/],
    [4, { timed: 'yes' }, /"timed" expected true or false, got "yes"/],
    [4, { onstep: used }, /"onstep": did you mean "onStep"/],
  ] as const) {
    await expect(runSteps(runner, steps as number, options as object)).rejects.toThrow(message);
  }
});

test('values in messages are short and never opened', () => {
  let deep: unknown = [];
  for (let i = 0; i < 1e5; i++) deep = [deep];
  expect(show(deep)).toBe('an array of 1');
  expect(show('x'.repeat(1e6))).toHaveLength(65);
  expect(show(Object.create(null))).toBe('an object');
  expect(show(Symbol('s'))).toBe('Symbol(s)');
  expect([show(-0), show(Number.NaN), show(() => 1)]).toEqual(['0', 'NaN', 'a function']);
});
