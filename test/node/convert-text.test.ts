/** Conversion of decoders of texts, with the T5 that reads them. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { gptWeightShapes, parseGptConfig } from '../../src/models/gpt-config.ts';
import { parseModelJson } from '../../src/models/model-json.ts';
import { parseVqConfig } from '../../src/models/vq-config.ts';
import { vqWeightShapes } from '../../src/models/vq-weights.ts';
import { type ConvertOptions, convertCheckpoint } from '../../src/node/convert.ts';
import { textEncoderFolder } from '../../src/node/convert-text.ts';
import { openFile } from '../../src/node/files.ts';
import { decodeF32 } from '../../src/weights/convert.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { counting } from '../support/checkpoints.ts';
import { bytesOf, writeSafetensors } from '../support/safetensors.ts';
import { writePt } from '../support/zip.ts';

const GPT = parseGptConfig({
  ...{ model_type: 't2i', dim: 16, n_layer: 1, n_head: 2, vocab_size: 48, block_size: 16 },
  ...{ multiple_of: 16, caption_dim: 8, cls_token_num: 6 },
});
const VQ = parseVqConfig({
  ...{ ch: 32, ch_mult: [1, 2], num_res_blocks: 1, z_channels: 32, codebook_size: 48 },
});
const T5_CONFIG = '{"model_type": "t5", "d_model": 8}\n';
const TOKENIZER = '{"model": {"type": "Unigram"}}\n';

const tensor = (...values: number[]) => ({
  dtype: 'F32',
  shape: [values.length],
  bytes: bytesOf(Float32Array.from(values)),
});
const SHARDS = {
  'model-00001-of-00002.safetensors': {
    'shared.weight': tensor(1, 2, 3),
    'encoder.embed_tokens.weight': tensor(1, 2, 3),
    'encoder.block.0.a': tensor(0.5, 3e38),
  },
  'model-00002-of-00002.safetensors': {
    'decoder.block.0.a': tensor(7),
    'encoder.final_layer_norm.weight': tensor(1.25),
    'lm_head.weight': tensor(9),
  },
};

let folder: string;
let gpt: string;
let vq: string;
let t5: string;
let out: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-convert-text-'));
  gpt = join(folder, 'gpt.pt');
  vq = join(folder, 'vq.pt');
  t5 = join(folder, 't5');
  out = join(folder, 'model');
  writeFileSync(gpt, writePt(counting(gptWeightShapes(GPT))));
  writeFileSync(vq, writePt(counting(vqWeightShapes(VQ))));
  mkdirSync(t5);
  writeFileSync(join(t5, 'config.json'), T5_CONFIG);
  writeFileSync(join(t5, 'tokenizer.json'), TOKENIZER);
  const weight_map: Record<string, string> = {};
  for (const [file, tensors] of Object.entries(SHARDS)) {
    writeFileSync(join(t5, file), writeSafetensors(tensors));
    for (const name of Object.keys(tensors)) weight_map[name] = file;
  }
  writeFileSync(join(t5, 'model.safetensors.index.json'), JSON.stringify({ weight_map }));
});
afterEach(() => rmSync(folder, { recursive: true }));

const convert = (options: Partial<ConvertOptions> = {}) =>
  convertCheckpoint({ gpt, vq, out, grid: 4, heads: 2, ...options });

describe('a decoder of texts', () => {
  test('becomes a model folder with the encoder of its T5 as bf16', async () => {
    const text = await textEncoderFolder(t5);
    const made = await convert({ text });
    expect(made).toMatchObject({ modelType: 't2i', parameters: { t5: 6 } });
    const files = ['gpt.safetensors', 'model.json', 't5.json', 't5.safetensors', 'tokenizer.json'];
    expect(readdirSync(out).sort()).toEqual([...files, 'vq.safetensors']);
    const json = parseModelJson(readFileSync(join(out, 'model.json'), 'utf8'));
    expect(json).toMatchObject({ gpt: GPT, vq: VQ, text: { maxLength: 6, clean: true } });
    expect(json.sampling).toMatchObject({ cfgScale: 7.5, topK: 1000 });
    expect(json.description).toBe('Text-conditional LlamaGen, 8x8 pixels, prompts of 6 tokens');
    const { tensors } = await openSafetensors(await openFile(join(out, 't5.safetensors')));
    expect([...tensors.keys()].sort()).toEqual([
      ...['encoder.block.0.a', 'encoder.final_layer_norm.weight', 'shared.weight'],
    ]);
    const { source, offset, byteLength, dtype } = tensors.get('encoder.block.0.a')!;
    expect(dtype).toBe('BF16');
    const [half, large] = decodeF32('BF16', await source.read(offset, byteLength));
    // The range of f32, which halves have not.
    expect([half, large! / 3e38]).toEqual([0.5, expect.closeTo(1, 2)]);
    expect(readFileSync(join(out, 't5.json'), 'utf8')).toBe(T5_CONFIG);
    expect(readFileSync(join(out, 'tokenizer.json'), 'utf8')).toBe(TOKENIZER);
    const sizes = readdirSync(out).map((name) => statSync(join(out, name)).size);
    expect(made.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
  });

  test('becomes one without a T5 too, for features', async () => {
    expect(await convert()).toMatchObject({ modelType: 't2i' });
    expect(readdirSync(out).sort()).toEqual(['gpt.safetensors', 'model.json', 'vq.safetensors']);
  });
});

describe('refused, with nothing left behind', () => {
  test('a T5 without its tokenizer', async () => {
    rmSync(join(t5, 'tokenizer.json'));
    const failed = textEncoderFolder(t5);
    await expect(failed).rejects.toThrow(/tokenizer.json: no such file: the folder of a T5 holds/);
    await expect(failed).rejects.toThrow(OptionError);
  });

  test('a file without an encoder, and a config that is no JSON', async () => {
    const text = await textEncoderFolder(t5);
    const other = join(folder, 'gpt2.safetensors');
    writeFileSync(other, writeSafetensors({ 'h.0.attn': tensor(1) }));
    await expect(convert({ text: { ...text, weights: [other] } })).rejects.toThrow(
      /no encoder of a T5/,
    );
    writeFileSync(join(t5, 'config.json'), '<html>');
    const failed = convert({ text });
    await expect(failed).rejects.toThrow(/config.json: not JSON/);
    await expect(failed).rejects.toThrow(WeightsError);
    expect(readdirSync(folder)).not.toContain('model');
  });
});
