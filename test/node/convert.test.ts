/** Conversion of whole checkpoints to model folders, and what is left behind when it fails. */

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { gptParameterCount, gptWeightShapes, parseGptConfig } from '../../src/models/gpt-config.ts';
import { parseModelJson } from '../../src/models/model-json.ts';
import { parseVqConfig, vqParameterCount } from '../../src/models/vq-config.ts';
import { vqWeightShapes } from '../../src/models/vq-weights.ts';
import { type ConvertOptions, convertCheckpoint } from '../../src/node/convert.ts';
import { defaultModelFolder, openFile } from '../../src/node/files.ts';
import { openCheckpoint } from '../../src/weights/checkpoint.ts';
import { decodeF32 } from '../../src/weights/convert.ts';
import { QUANTIZATION_KEY, scalesName } from '../../src/weights/quantize.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { difference } from '../oracle/compare.ts';
import { counting } from '../support/checkpoints.ts';
import { dequantizeRows } from '../support/dequantize.ts';
import { bytesOf } from '../support/safetensors.ts';
import { ROOT } from '../support/sources.ts';
import { writePt } from '../support/zip.ts';

const SAMPLES = join(ROOT, 'test', 'golden', 'pt_checkpoints');
const GPT = parseGptConfig({
  ...{ dim: 16, n_layer: 2, n_head: 2, vocab_size: 48, num_classes: 10, block_size: 16 },
  multiple_of: 16,
});
const VQ = parseVqConfig({
  ch: 32,
  ch_mult: [1, 2],
  num_res_blocks: 1,
  z_channels: 32,
  codebook_size: 48,
});

let folder: string;
let vq: string;
let out: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-convert-'));
  vq = join(folder, 'vq.pt');
  out = join(folder, 'models', 'tiny');
  const used = { key: 'used', elements: 8, shape: [8], data: new Uint8Array(32) };
  const tensors = { ...counting(vqWeightShapes(VQ)), 'quantize.codebook_used': used };
  writeFileSync(vq, writePt(tensors));
});
afterEach(() => rmSync(folder, { recursive: true }));

const convert = (gpt: string, options: Partial<ConvertOptions> = {}) =>
  convertCheckpoint({ gpt, vq, out, grid: 4, heads: 2, ...options });

/** Names of all files under the folder, apart from `vq.pt`. */
const left = (): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name !== 'vq.pt');

async function floats(path: string): Promise<Map<string, Float32Array>> {
  const { tensors } = await openSafetensors(await openFile(path));
  const values = new Map<string, Float32Array>();
  for (const { name, dtype, source, offset, byteLength } of tensors.values()) {
    if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') throw new Error(dtype);
    values.set(name, decodeF32(dtype, await source.read(offset, byteLength)));
  }
  return values;
}

const samples = ['ddp_model.pt', 'fsdp_plain.pt', 'deepspeed_module.pt', 'lightning_state_dict.pt'];

describe('the sample checkpoints', () => {
  test.each([...samples, 'legacy_model.pt'])('%s gives its twin without buffers', async (name) => {
    const path = join(SAMPLES, name);
    const result = await convert(path, { dtype: 'f32' });
    expect(result).toMatchObject({ folder: out, flushed: 0, dtype: 'f32' });
    expect(result.parameters).toEqual({ gpt: gptParameterCount(GPT), vq: vqParameterCount(VQ) });
    const twin = await floats(join(SAMPLES, 'model.safetensors'));
    expect(await floats(join(out, 'gpt.safetensors'))).toEqual(
      name === 'deepspeed_module.pt' ? expect.anything() : twin,
    );
    const names = gptWeightShapes(GPT).map((tensor) => tensor.name);
    const { tensors, metadata } = await openSafetensors(
      await openFile(join(out, 'gpt.safetensors')),
    );
    expect([...tensors.keys()].sort()).toEqual(names.sort());
    expect(Object.fromEntries(metadata)).toEqual({
      format: 'pt',
      source: name,
      source_sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
      dtype: 'f32',
      converter: expect.stringMatching(/^llamagen-webgpu \d+\.\d+\.\d+/),
    });
  });

  test.each([
    ['ddp_bf16.pt', 'bf16', 'BF16'],
    ['ddp_f16.pt', 'f16', 'F16'],
    ['ddp_model.pt', 'bf16', 'BF16'],
  ])('%s is converted to %s unless told otherwise', async (name, dtype, stored) => {
    expect((await convert(join(SAMPLES, name))).dtype).toBe(dtype);
    const { tensors } = await openSafetensors(await openFile(join(out, 'gpt.safetensors')));
    expect(new Set([...tensors.values()].map((tensor) => tensor.dtype))).toEqual(new Set([stored]));
  });

  test.each([
    ['int8', 'I8', 'I8', 1e-4],
    ['int4', 'U8', 'I8', 2e-2],
  ] as const)(
    'as %s: integers with their scales near the floats',
    async (dtype, stored, head, most) => {
      await convert(join(SAMPLES, 'ddp_model.pt'), { dtype });
      const made = await openSafetensors(await openFile(join(out, 'gpt.safetensors')));
      expect(made.metadata.get(QUANTIZATION_KEY)).toBe(dtype);
      expect(made.tensors.get('output.weight')?.dtype).toBe(head);
      expect(made.tensors.get('norm.weight')?.dtype).toBe('BF16');
      expect(made.tensors.get('tok_embeddings.weight')?.dtype).toBe('BF16');
      const name = 'layers.1.feed_forward.w2.weight';
      const quants = made.tensors.get(name)!;
      const scales = made.tensors.get(scalesName(name))!;
      expect([quants.dtype, scales.dtype]).toEqual([stored, 'F16']);
      const words = new Uint32Array(
        (await quants.source.read(quants.offset, quants.byteLength)).buffer,
      );
      const halves = new Uint16Array(
        (await scales.source.read(scales.offset, scales.byteLength)).buffer,
      );
      const exact = (await floats(join(SAMPLES, 'model.safetensors'))).get(name)!;
      const [rows, inDim] = [GPT.dim, GPT.hiddenDim];
      const values = dequantizeRows(dtype, { quants: words, scales: halves }, rows, inDim);
      const nmse = difference(values, exact).nmse;
      expect(nmse).toBeGreaterThan(0);
      expect(nmse).toBeLessThan(most);
    },
  );
});

test('the folder is a model: config, classes, sampling, tokenizer as f32', async () => {
  const classNames = Array.from({ length: 10 }, (_, i) => `name ${i}`);
  const result = await convert(join(SAMPLES, 'ddp_model.pt'), { classNames });
  expect(readdirSync(out).sort()).toEqual(['gpt.safetensors', 'model.json', 'vq.safetensors']);
  const json = parseModelJson(readFileSync(join(out, 'model.json'), 'utf8'));
  expect(json).toMatchObject({ name: 'tiny', gpt: GPT, vq: VQ, classNames });
  expect(json.description).toContain('8x8 pixels, 10 classes');
  expect(json.sampling).toEqual({
    ...{ cfgScale: 4, temperature: 1, topK: 2000, topP: 1, cfgInterval: -1 },
  });
  const values = await floats(join(out, 'vq.safetensors'));
  const expected = counting(vqWeightShapes(VQ));
  expect([...values.keys()].sort()).toEqual(Object.keys(expected).sort());
  for (const [name, { data }] of Object.entries(expected)) {
    expect(bytesOf(values.get(name)!), name).toEqual(data);
  }
  const sizes = readdirSync(out).map((name) => readFileSync(join(out, name)).length);
  expect(result.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
});

test('files may come in any order, and progress reaches its end', async () => {
  const progress: string[] = [];
  await convertCheckpoint({
    ...{ gpt: vq, vq: join(SAMPLES, 'ddp_model.pt'), out, grid: 4, heads: 2 },
    onProgress: (phase, done, total) => {
      if (done === total) progress.push(phase);
    },
  });
  expect(new Set(progress)).toEqual(new Set(['hash', 'convert']));
  const json = parseModelJson(readFileSync(join(out, 'model.json'), 'utf8'));
  expect(json.classNames).toHaveLength(10);
  expect(json.classNames[3]).toBe('class 3');
});

test('the shipped model converts to itself', async () => {
  const shipped = defaultModelFolder();
  const [gpt, tokenizer] = ['gpt', 'vq'].map((name) => join(shipped, `${name}.safetensors`));
  await convertCheckpoint({ gpt: gpt!, vq: tokenizer!, out, grid: 12, heads: 4 });
  const json = parseModelJson(readFileSync(join(out, 'model.json'), 'utf8'));
  const own = parseModelJson(readFileSync(join(shipped, 'model.json'), 'utf8'));
  expect([json.gpt, json.vq]).toEqual([own.gpt, own.vq]);
  const [got, want] = await Promise.all(
    [out, shipped].map(async (at) => openCheckpoint(await openFile(join(at, 'gpt.safetensors')))),
  );
  expect(got!.tensors.size).toBe(want!.tensors.size);
  for (const [name, tensor] of want!.tensors) {
    const same = got!.tensors.get(name)!;
    expect(same.dtype).toBe(tensor.dtype);
    const [a, b] = await Promise.all([same.read(0, same.length), tensor.read(0, tensor.length)]);
    expect(Buffer.compare(a, b), name).toBe(0);
  }
});

describe('refused, with nothing left behind', () => {
  /** A decoder with one tensor changed. */
  const decoder = (change: (tensors: ReturnType<typeof counting>) => void): string => {
    const tensors = counting(gptWeightShapes(GPT));
    change(tensors);
    const path = join(folder, 'vq.pt.gpt');
    writeFileSync(path, writePt(tensors));
    return path;
  };
  const setFirst = (value: number) =>
    decoder((tensors) => {
      const data = Float32Array.of(value, ...new Float32Array(GPT.dim - 1));
      tensors['norm.weight'] = { ...tensors['norm.weight']!, data: bytesOf(data) };
    });

  test.each<
    [string, () => string, Partial<ConvertOptions>, RegExp, new (message: string) => Error]
  >([
    [
      'a value beyond f16',
      () => setFirst(1e5),
      { dtype: 'f16' },
      /"norm.weight" has 1 of 16 values beyond 65504/,
      WeightsError,
    ],
    [
      'NaN',
      () => setFirst(Number.NaN),
      {},
      /"norm.weight" expected finite values, got NaN at 0/,
      WeightsError,
    ],
    [
      'a missing tensor',
      () => decoder((t) => delete t['output.weight']),
      {},
      /1 missing:\n {2}"output.weight" \[48,16\]/,
      WeightsError,
    ],
    ['two tokenizers', () => vq, {}, /are both tokenizers: give one of each/, OptionError],
    [
      'a decoder of classes and of texts',
      () =>
        decoder((t) => {
          t['cls_embedding.uncond_embedding'] = t['norm.weight']!;
        }),
      {},
      /do not agree on the kind of condition/,
      WeightsError,
    ],
    [
      'a file that is missing',
      () => join(folder, 'none.pt'),
      {},
      /none.pt: cannot be read: no such file/,
      WeightsError,
    ],
    [
      'class names of another count',
      () => join(SAMPLES, 'ddp_model.pt'),
      { classNames: ['a'] },
      /has 1 names, but .* has 10 classes/,
      OptionError,
    ],
    [
      'heads that do not divide',
      () => join(SAMPLES, 'ddp_model.pt'),
      { heads: 3 },
      /a multiple of n_head \(3\)/,
      WeightsError,
    ],
  ])('%s', async (_, make, options, message, type) => {
    const path = make();
    const before = left();
    const failed = convert(path, options);
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toThrow(type);
    expect(left()).toEqual(before);
  });

  test('a decoder and a tokenizer of different codebooks', async () => {
    const other = parseVqConfig({ ch: 32, ch_mult: [1], num_res_blocks: 1, codebook_size: 64 });
    writeFileSync(vq, writePt(counting(vqWeightShapes(other))));
    const failed = convert(join(SAMPLES, 'ddp_model.pt'));
    await expect(failed).rejects.toThrow('they were not made for each other');
    expect(left()).toEqual([]);
  });

  test('only one of the two', async () => {
    await expect(convertCheckpoint({ vq, out })).rejects.toThrow(
      'give a decoder, like c2i_B_256.pt',
    );
    await expect(convertCheckpoint({ out })).rejects.toThrow(OptionError);
  });

  test('a folder with files; an empty one is used', async () => {
    mkdirSync(out, { recursive: true });
    await convert(join(SAMPLES, 'ddp_model.pt'));
    const again = convert(join(SAMPLES, 'ddp_model.pt'));
    await expect(again).rejects.toThrow('has files already; remove it or choose another folder');
    await expect(again).rejects.toThrow(OptionError);
    expect(readdirSync(out)).toHaveLength(3);
  });

  test('an abort, in either phase', async () => {
    for (const at of ['hash', 'convert']) {
      const stop = new AbortController();
      const stopped = convert(join(SAMPLES, 'ddp_model.pt'), {
        signal: stop.signal,
        onProgress: (phase) => {
          if (phase === at) stop.abort(new Error(`stopped in ${at}`));
        },
      });
      await expect(stopped).rejects.toThrow(`stopped in ${at}`);
      expect(left()).toEqual([]);
    }
  });

  test('a small file whose tensors repeat one element', async () => {
    const path = decoder((tensors) => {
      for (const [name, tensor] of Object.entries(tensors)) {
        const data = new Uint8Array(4);
        const stride = tensor.shape.map(() => 0);
        tensors[name] = { ...tensor, key: 'one', elements: 1, stride, data };
      }
    });
    const failed = convert(path, { dtype: 'f32' });
    await expect(failed).rejects.toThrow(WeightsError);
    await expect(failed).rejects.toThrow('they repeat a few values');
  });
});
