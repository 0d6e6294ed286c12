/** FLAN-T5-XL with weights that are hashes, on devices that bind no more than 128 MiB. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../kernels/compile.ts';
import { MAX_WORKGROUPS, type MatrixDType, type Variant } from '../../kernels/kernel.ts';
import { bindingLimit } from '../../src/gpu/variants.ts';
import { Graph } from '../../src/graph/graph.ts';
import { plan } from '../../src/graph/plan.ts';
import { byteLength } from '../../src/graph/tensor.ts';
import { loadTextEncoder, type ModelFiles, memorySource } from '../../src/index.ts';
import { T5_TABLES, type T5Pass, t5Layers } from '../../src/models/t5.ts';
import { T5_XL, type T5Config } from '../../src/models/t5-config.ts';
import { decodeF32 } from '../../src/weights/convert.ts';
import type { Safetensors } from '../../src/weights/safetensors.ts';
import { type HashTensor, hashWeights } from '../golden-runner/hash-weights.ts';
import { expectClose } from '../oracle/compare.ts';
import { t5 as oracle } from '../oracle/t5.ts';
import { nullDevice } from '../support/null-device.ts';
import { openPlain } from '../support/plain-device.ts';

const MIB = 2 ** 20;
const SERIAL: Variant = { reduce: 'serial', f16: false, lanes: 4 };
const SUBGROUP: Variant = { reduce: 'subgroup', f16: true, lanes: 32 };

function graphOf(pass: T5Pass, dtype: MatrixDType, variant: Variant) {
  const g = new Graph();
  const maxBindingBytes = 128 * MIB;
  const precision = { variant, dtype, kvDtype: 'f32', maxBindingBytes } as const;
  return { g, layers: t5Layers(g, T5_XL, pass, precision) };
}

describe.each([
  ['serial', SERIAL, 'f32'],
  ['subgroup', SUBGROUP, 'bf16'],
] as const)('the whole encoder, %s', (_, variant, dtype) => {
  const pass = { rows: 1024, first: 0, count: T5_XL.nLayer };
  const { g, layers } = graphOf(pass, dtype, variant);

  test('has weights and results that can be bound', () => {
    const weights = g.residents.filter(({ life }) => life === 'weight');
    const bytes = weights.map(byteLength);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(128 * MIB);
    // 24 layers of 4 x 2048 x 2048 and 3 x 2048 x 5120, norms and biases.
    const values = 24 * (4 * 2048 ** 2 + 3 * 2048 * 5120);
    const others = 4 * (49 * 2048 + 32 * 32);
    expect(bytes.reduce((a, b) => a + b)).toBe(values * (dtype === 'bf16' ? 2 : 4) + others);
    const { slots } = plan(g.nodes, new Set([layers.out]));
    expect(Math.max(...slots)).toBe(1024 * 5120 * 4);
    // What passes through does not grow with the layers, and is less than one of them as bf16.
    const few = graphOf({ ...pass, count: 4 }, dtype, variant);
    expect(slots).toEqual(plan(few.g.nodes, new Set([few.layers.out])).slots);
    expect(slots.reduce((a, b) => a + b)).toBeLessThan(96 * MIB);
  });

  test('has few texts, which compile', async () => {
    const device = await nullDevice();
    const texts = new Map(
      g.nodes.map(({ kernel }) => [kernel.code.replace(/ *\/\/.*$/gm, ''), kernel]),
    );
    expect(texts.size).toBe(variant.reduce === 'serial' ? 5 : 7);
    for (const kernel of texts.values()) {
      expect(Math.max(...kernel.workgroups)).toBeLessThanOrEqual(MAX_WORKGROUPS);
      await compile(device, kernel);
    }
  });
});

/** Values as large as those of a trained one: a query is short, since no scale makes scores smaller. */
function hashTensors(config: T5Config): HashTensor[] {
  const g = new Graph();
  const pass = { rows: 1, first: 0, count: config.nLayer };
  t5Layers(g, config, pass, { variant: SERIAL, dtype: 'f32', kvDtype: 'f32' });
  const weights = g.residents.filter(({ life }) => life === 'weight');
  const stored = weights.map(({ name, shape: [out = 1, inDim], shape }): HashTensor => {
    if (inDim === undefined) return { name, shape, amp: 0.25, offset: 1 };
    const gain = /relative/.test(name) ? Math.sqrt(out) : /\.q\./.test(name) ? 1 / 8 : 1;
    return { name, shape, amp: Math.fround(gain * Math.sqrt(3 / inDim)), offset: 0 };
  });
  const table = { name: T5_TABLES[0], shape: [config.vocabSize, config.dim], amp: 1.5, offset: 0 };
  return [...stored, table];
}

const folderOf = (config: T5Config, file: Safetensors): ModelFiles => ({
  name: 'flan-t5-xl',
  async open(name) {
    const { dim, headDim, nHead, hiddenDim, nLayer, vocabSize } = config;
    const sizes = { d_model: dim, d_kv: headDim, num_heads: nHead, d_ff: hiddenDim };
    const json = { ...sizes, num_layers: nLayer, vocab_size: vocabSize };
    const text = JSON.stringify({ ...json, feed_forward_proj: 'gated-gelu' });
    const [entry] = file.tensors.values();
    return name === 't5.json' ? memorySource(name, new TextEncoder().encode(text)) : entry!.source;
  },
});

test('a layer of full size makes the features of the oracle', { timeout: 120_000 }, async () => {
  const config = { ...T5_XL, nLayer: 1 };
  const file = await hashWeights('flan-t5-xl', 'v1/', hashTensors(config));
  const plain = await openPlain();
  try {
    expect(bindingLimit(plain.device)).toBe(128 * MIB);
    const encoder = await loadTextEncoder(plain.device, folderOf(config, file));
    const prompt = [3, 32_127, 1];
    const [features] = await encoder.encode([prompt]);
    encoder.destroy();
    const values = new Map<string, Float32Array>();
    for (const { name, source, offset, byteLength: length } of file.tensors.values()) {
      if (name === T5_TABLES[0]) continue;
      values.set(name, decodeF32('F32', await source.read(offset, length)));
    }
    const table = file.tensors.get(T5_TABLES[0])!;
    const rows = await Promise.all(
      prompt.map(async (id) => [
        ...decodeF32('F32', await table.source.read(table.offset + id * 8192, 8192)),
      ]),
    );
    const expected = oracle(config, (name) => values.get(name)!, rows);
    // f32 sums of up to 5120 products; features are about 1.
    expectClose('features', features!.values, expected, { nmse: 1e-11, max: 1e-4 });
  } finally {
    plain.close();
  }
});
