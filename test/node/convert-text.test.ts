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
import { difference } from '../oracle/compare.ts';
import { counting } from '../support/checkpoints.ts';
import { bytesOf, writeSafetensors } from '../support/safetensors.ts';
import { TINY_T5, t5Tensors } from '../support/tiny-t5.ts';
import { TINY_TOKENIZER } from '../support/tiny-text-model.ts';
import { writePt } from '../support/zip.ts';

const GPT = parseGptConfig({
  ...{ model_type: 't2i', dim: 16, n_layer: 1, n_head: 2, vocab_size: 48, block_size: 16 },
  ...{ multiple_of: 16, caption_dim: TINY_T5.d_model, cls_token_num: 6 },
});
const VQ = parseVqConfig({
  ...{ ch: 32, ch_mult: [1, 2], num_res_blocks: 1, z_channels: 32, codebook_size: 48 },
});

const T5_CONFIG = `${JSON.stringify(TINY_T5, null, 2)}\n`;
const ENCODER = t5Tensors();
const FINAL = 'encoder.final_layer_norm.weight';

const tensor = (...values: number[]) => ({
  dtype: 'F32',
  shape: [values.length],
  bytes: bytesOf(Float32Array.from(values)),
});
/** The encoder in two shards, with a decoder, and the table under its second name too. */
const SHARDS = {
  'model-00001-of-00002.safetensors': {
    ...Object.fromEntries(Object.entries(ENCODER).filter(([name]) => name !== FINAL)),
    'encoder.embed_tokens.weight': ENCODER['shared.weight']!,
  },
  'model-00002-of-00002.safetensors': {
    'decoder.block.0.a': tensor(7),
    [FINAL]: ENCODER[FINAL]!,
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
  writeFileSync(join(t5, 'tokenizer.json'), TINY_TOKENIZER);
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
    const values = Object.values(ENCODER).reduce((sum, { bytes }) => sum + bytes.length / 4, 0);
    expect(made).toMatchObject({ modelType: 't2i', parameters: { t5: values } });
    const files = ['gpt.safetensors', 'model.json', 't5.json', 't5.safetensors', 'tokenizer.json'];
    expect(readdirSync(out).sort()).toEqual([...files, 'vq.safetensors']);
    const json = parseModelJson(readFileSync(join(out, 'model.json'), 'utf8'));
    expect(json).toMatchObject({ gpt: GPT, vq: VQ, text: { maxLength: 6, clean: true } });
    expect(json.sampling).toMatchObject({ cfgScale: 7.5, topK: 1000 });
    expect(json.description).toBe('Text-conditional LlamaGen, 8x8 pixels, prompts of 6 tokens');
    const { tensors } = await openSafetensors(await openFile(join(out, 't5.safetensors')));
    expect([...tensors.keys()].sort()).toEqual(Object.keys(ENCODER).sort());
    for (const [name, { source, offset, byteLength, dtype }] of tensors) {
      expect(dtype, name).toBe('BF16');
      const got = decodeF32('BF16', await source.read(offset, byteLength));
      const want = new Float32Array(ENCODER[name]!.bytes.slice().buffer);
      expect(difference(got, want).nmse, name).toBeLessThan(1e-4);
    }
    expect(readFileSync(join(out, 't5.json'), 'utf8')).toBe(T5_CONFIG);
    expect(readFileSync(join(out, 'tokenizer.json'), 'utf8')).toBe(TINY_TOKENIZER);
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

  test('a T5 of another size, one with a layer missing, and any for a decoder of classes', async () => {
    const text = await textEncoderFolder(t5);
    writeFileSync(join(t5, 'config.json'), JSON.stringify({ ...TINY_T5, d_model: 32 }));
    await expect(convert({ text })).rejects.toThrow(/makes 32 features.*the decoder takes 24/);
    writeFileSync(join(t5, 'config.json'), T5_CONFIG);
    await expect(convert({ text: { ...text, weights: text.weights.slice(0, 1) } })).rejects.toThrow(
      /1 missing:\n {2}"encoder.final_layer_norm.weight" \[24\]/,
    );
    const classes = gptWeightShapes(
      parseGptConfig({
        ...{ dim: 16, n_layer: 1, n_head: 2, vocab_size: 48, num_classes: 3, block_size: 16 },
        multiple_of: 16,
      }),
    );
    writeFileSync(gpt, writePt(counting(classes)));
    await expect(convert({ text })).rejects.toThrow(/"text": a class-conditional decoder reads/);
    expect(readdirSync(folder)).not.toContain('model');
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
