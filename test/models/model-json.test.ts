import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { generateSettings } from '../../src/generate/settings.ts';
import { gptParameterCount, gptWeightShapes } from '../../src/models/gpt-config.ts';
import { parseModelJson } from '../../src/models/model-json.ts';
import { matchTensors } from '../../src/weights/join.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { memorySource } from '../../src/weights/source.ts';

const shipped = (file: string): Promise<Buffer> =>
  readFile(new URL(`../../weights/fruits-96/${file}`, import.meta.url));

const sound = {
  format: 'llamagen-webgpu/1',
  name: 'two',
  description: 'Two classes',
  gpt: { dim: 64, n_layer: 2, n_head: 4, vocab_size: 256, num_classes: 2, block_size: 16 },
  vq: {
    ch: 32,
    encoder_ch_mult: [1, 2],
    decoder_ch_mult: [1, 2],
    num_res_blocks: 1,
    z_channels: 32,
    codebook_size: 256,
    codebook_embed_dim: 8,
    codebook_l2_norm: true,
  },
  classes: ['cat', 'Cat'],
  sampling: { cfg_scale: 2, temperature: 1, top_k: 0, top_p: 1 },
  license: 'MIT',
  trained: 'by hand',
};

const parse = (fields: object): unknown => parseModelJson(JSON.stringify({ ...sound, ...fields }));

describe('the shipped model', () => {
  test('is described by its model.json', async () => {
    const model = parseModelJson(String(await shipped('model.json')));
    expect(model.name).toBe('fruits-96');
    expect(model.classNames.length).toBe(32);
    expect(model.classNames[4]).toBe('Banana');
    expect(model.gpt.gridSize).toBe(12);
    expect(model.vq.codebookSize).toBe(1024);
    expect(model.sampling).toEqual({
      cfgScale: 2,
      temperature: 1,
      topK: 0,
      topP: 1,
      cfgInterval: -1,
    });
  });

  test('has the decoder tensors its model.json promises', async () => {
    const { gpt } = parseModelJson(String(await shipped('model.json')));
    const source = memorySource('gpt.safetensors', await shipped('gpt.safetensors'));
    const file = await openSafetensors(source);
    matchTensors(file, gptWeightShapes(gpt));
    const bytes = [...file.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(gptParameterCount(gpt)).toBe(bytes / 2);
  });
});

test('optional fields and unknown ones', () => {
  const sampling = { ...sound.sampling, cfg_interval: 8, note: 'ignored' };
  expect(parse({ sampling, homepage: 'ignored' })).toMatchObject({
    classNames: ['cat', 'Cat'],
    sampling: { cfgInterval: 8 },
    license: 'MIT',
    trained: 'by hand',
  });
});

describe('a text model', () => {
  const { num_classes: _, ...sizes } = sound.gpt;
  const { classes: _classes, sampling: _sampling, ...rest } = sound;
  const text = {
    ...rest,
    gpt: { ...sizes, model_type: 't2i', caption_dim: 96, cls_token_num: 24 },
  };
  const parseText = (fields: object): unknown =>
    parseModelJson(JSON.stringify({ ...text, ...fields }));

  test('has the settings of the official sampler unless it says others', () => {
    const sampling = { cfgScale: 7.5, temperature: 1, topK: 1000, topP: 1, cfgInterval: -1 };
    const settings = { maxLength: 24, clean: true };
    expect(parseText({})).toMatchObject({ classNames: [], text: settings, sampling });
    const own = { sampling: { cfg_scale: 3 }, text: { max_length: 20, clean: false } };
    expect(parseText(own)).toMatchObject({
      text: { maxLength: 20, clean: false },
      sampling: { ...sampling, cfgScale: 3 },
    });
  });

  test.each<[fields: object, message: string]>([
    [
      { text: { max_length: 25 } },
      'text: "max_length" expected a whole number from 1 to 24, got 25',
    ],
    [{ text: { clean: 1 } }, 'text: "clean" expected true or false, got 1'],
    [{ text: 3 }, 'text: expected an object, got 3'],
    [{ classes: ['cat'] }, '"classes" expected nothing beside "model_type" "t2i", got ["cat"]'],
  ])('%j is refused', (fields, message) => {
    expect(() => parseText(fields)).toThrow(WeightsError);
    expect(() => parseText(fields)).toThrow(`model.json: ${message}`);
  });
});

test('a number beyond those of JSON.parse is infinite, and refused', () => {
  const text = JSON.stringify(sound).replace('"n_head":4', '"n_head":4,"norm_eps":1e400');
  expect(() => parseModelJson(text)).toThrow('"norm_eps" expected a number above 0, of a size');
  expect(() => parseModelJson(text)).toThrow('got Infinity');
});

test('settings are those that generate takes', () => {
  const most = {
    cfg_scale: 1000,
    temperature: 1000,
    top_k: 2 ** 31 - 1,
    cfg_interval: 2 ** 31 - 1,
  };
  const config = parseModelJson(
    JSON.stringify({ ...sound, sampling: { ...sound.sampling, ...most } }),
  );
  expect(generateSettings(config, { classes: [0] }).sequences[0]).toMatchObject(config.sampling);
  for (const name of ['cfgScale', 'temperature', 'topK', 'cfgInterval'] as const) {
    const beyond = { classes: [0], [name]: config.sampling[name] + 1 };
    expect(() => generateSettings(config, beyond)).toThrow(`"${name}" expected`);
  }
});

test('the smallest and the largest numbers that stay what they are', () => {
  const gpt = { ...sound.gpt, norm_eps: 2 ** -126, rope_base: 3.4028234e38 };
  const sampling = { ...sound.sampling, temperature: 0 };
  expect(parse({ gpt, sampling })).toMatchObject({ gpt: { normEps: 2 ** -126 } });
});

test('a byte order mark in front, as editors on Windows write it', () => {
  expect(parseModelJson(`\uFEFF${JSON.stringify(sound)}`)).toMatchObject({ name: 'two' });
});

test('a value deeper than the stack is quoted by its beginning', () => {
  const deep = `${'['.repeat(1e5)}${']'.repeat(1e5)}`;
  const start = `${'['.repeat(80)}...`;
  expect(() => parseModelJson(deep, 'a/model.json')).toThrow(
    `a/model.json: expected an object, got ${start}`,
  );
  const named = JSON.stringify({ ...sound, name: '?' }).replace('"?"', deep);
  expect(() => parseModelJson(named)).toThrow(`model.json: "name" expected a text, got ${start}`);
  const long = 'x'.repeat(1e6);
  expect(() => parse({ classes: [long, long] })).toThrow(/both "x{79}\.\.\.$/);
});

describe('a bad file is refused', () => {
  test.each<[fields: object, message: string]>([
    [
      { format: 'llamagen-webgpu/2' },
      '"format" expected "llamagen-webgpu/1", the one this version reads, got "llamagen-webgpu/2"',
    ],
    [
      { format: undefined },
      '"format" expected "llamagen-webgpu/1", the one this version reads, got nothing',
    ],
    [{ name: '' }, '"name" expected a text, got ""'],
    [{ description: 3 }, '"description" expected a text, got 3'],
    [{ license: undefined }, '"license" expected a text, got nothing'],
    [{ trained: ' ' }, '"trained" expected a text, got " "'],
    [{ gpt: undefined }, 'gpt: expected an object, got '],
    [
      { gpt: { ...sound.gpt, dim: 0 } },
      'gpt: "dim" expected a whole number from 1 to 65536, got 0',
    ],
    [{ vq: undefined }, 'vq: expected an object, got '],
    [{ vq: { ...sound.vq, ch: 'x' } }, 'vq: "ch" expected '],
    [
      { vq: { ...sound.vq, codebook_size: 128 } },
      'the decoder has "vocab_size" 256, but the tokenizer has "codebook_size" 128',
    ],
    ...[1e300, 1e-300, 1e-40, 'NaN', '1e-5', 0, -1].map((value): [object, string] => [
      { gpt: { ...sound.gpt, norm_eps: value } },
      `gpt: "norm_eps" expected a number above 0${
        typeof value === 'number' && value > 0 ? ', of a size that 32-bit floats have' : ''
      }, got ${JSON.stringify(value)}`,
    ]),
    [
      { gpt: { ...sound.gpt, rope_base: 3.5e38 } },
      'gpt: "rope_base" expected a number above 0, of a size that 32-bit floats have, got 3.5e+38',
    ],
    [
      { sampling: { ...sound.sampling, temperature: 1e-39 } },
      'sampling: "temperature" expected a number from 0 to 1000, of a size that 32-bit floats have',
    ],
    [
      { sampling: { ...sound.sampling, top_p: 1e-200 } },
      'sampling: "top_p" expected a number above 0, at most 1, of a size that',
    ],
    [
      { sampling: { ...sound.sampling, top_k: 2 ** 31 } },
      'sampling: "top_k" expected a whole number from 0 to 2147483647, got 2147483648',
    ],
    [{ classes: 'cat,dog' }, '"classes" expected an array of class names, got "cat,dog"'],
    [{ classes: ['cat'] }, '"classes" has 1 names, but the decoder has "num_classes" 2'],
    [{ classes: ['cat', 7] }, '"classes[1]" expected a class name, got 7'],
    [{ classes: ['cat', ''] }, '"classes[1]" expected a class name, got ""'],
    [{ classes: ['cat', 'cat'] }, 'classes 0 and 1 are both "cat"'],
    [{ sampling: [] }, 'sampling: expected an object, got []'],
    [
      { sampling: { ...sound.sampling, cfg_scale: -1 } },
      'sampling: "cfg_scale" expected a number from 0 to 1000, got -1',
    ],
    [
      { sampling: { ...sound.sampling, temperature: 'hot' } },
      'sampling: "temperature" expected a number from 0 to 1000, got "hot"',
    ],
    [{ sampling: { ...sound.sampling, top_k: 1.5 } }, 'sampling: "top_k" expected a whole number'],
    [
      { sampling: { ...sound.sampling, top_p: 0 } },
      'sampling: "top_p" expected a number above 0, at most 1, got 0',
    ],
    [
      { sampling: { ...sound.sampling, cfg_interval: -2 } },
      'sampling: "cfg_interval" expected a whole number from -1',
    ],
  ])('%j', (fields, message) => {
    expect(() => parse(fields)).toThrow(WeightsError);
    expect(() => parse(fields)).toThrow('model.json: ');
    expect(() => parse(fields)).toThrow(message);
  });

  test('text that is not JSON, JSON that is no object', () => {
    expect(() => parseModelJson('{', 'folder/model.json')).toThrow('folder/model.json: not JSON: ');
    expect(() => parseModelJson('{')).toThrow(WeightsError);
    expect(() => parseModelJson('[]')).toThrow('model.json: expected an object, got []');
  });
});
