/** The official text-conditional GPT-XL with weights that are hashes, on devices that bind no more than 128 MiB. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../kernels/compile.ts';
import { MAX_WORKGROUPS, type MatrixDType, type Variant } from '../../kernels/kernel.ts';
import { prefillShape } from '../../src/engine/plan-prefill.ts';
import { createSlots } from '../../src/engine/slots.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { bindingLimit } from '../../src/gpu/variants.ts';
import { Graph } from '../../src/graph/graph.ts';
import { plan } from '../../src/graph/plan.ts';
import { byteLength } from '../../src/graph/tensor.ts';
import { type CaptionFeatures, tokenLoop } from '../../src/index.ts';
import { checkGpt } from '../../src/load/model.ts';
import { type GptConfig, gptConfig, gptWeightShapes } from '../../src/models/gpt-config.ts';
import { gptGraphs } from '../../src/models/gpt-graphs.ts';
import { decodeF32 } from '../../src/weights/convert.ts';
import type { Safetensors } from '../../src/weights/safetensors.ts';
import { type HashTensor, hashWeights } from '../golden-runner/hash-weights.ts';
import { expectClose } from '../oracle/compare.ts';
import { gelu } from '../oracle/gelu.ts';
import { linear } from '../oracle/linear.ts';
import { swiglu } from '../oracle/swiglu.ts';
import { anyCaption } from '../support/captions.ts';
import { nullDevice } from '../support/null-device.ts';
import { openPlain } from '../support/plain-device.ts';
import { sampling } from '../support/sampling.ts';

const MIB = 2 ** 20;
const SERIAL: Variant = { reduce: 'serial', f16: false, lanes: 4 };
const SUBGROUP: Variant = { reduce: 'subgroup', f16: true, lanes: 32 };

test.each([
  { grid: 32, variant: SERIAL, dtype: 'f32' },
  { grid: 32, variant: SUBGROUP, dtype: 'bf16' },
] as const)('rows of $grid tokens, $variant.reduce: can be bound and compiled', async (how) => {
  const { grid, variant, dtype } = how;
  const config = gptConfig('GPT-XL', grid, 't2i');
  expect(config).toMatchObject({ dim: 1280, nLayer: 36, clsTokenNum: 120, captionDim: 2048 });
  const device = await nullDevice();
  const texts = new Map<string, Parameters<typeof compile>[1]>();
  for (const rows of [2, ...prefillShape(variant === SERIAL).counts]) {
    const g = graphOf(config, rows, variant, dtype);
    const bytes = g.residents.map(byteLength);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(128 * MIB);
    // The largest results are the logits; of two rows, what stands for no caption is larger.
    const most = Math.max(rows * 16384, 120 * 1280) * 4;
    expect(Math.max(...plan(g.nodes).slots)).toBe(most);
    for (const { kernel } of g.nodes) texts.set(kernel.code.replace(/ *\/\/.*$/gm, ''), kernel);
  }
  for (const kernel of texts.values()) {
    expect(Math.max(...kernel.workgroups)).toBeLessThanOrEqual(MAX_WORKGROUPS);
    await compile(device, kernel);
  }
});

function graphOf(config: GptConfig, rows: number, variant: Variant, dtype: MatrixDType): Graph {
  const g = new Graph();
  const maxBindingBytes = 128 * MIB;
  const precision = { variant, dtype, kvDtype: 'f32', maxBindingBytes } as const;
  gptGraphs(g, config, { rows, slots: 2 }, precision);
  return g;
}

const hashTensors = (config: GptConfig): HashTensor[] =>
  gptWeightShapes(config).map(({ name, shape }): HashTensor => {
    const [, inDim] = shape;
    if (inDim === undefined) return { name, shape, amp: 0.25, offset: 1 };
    const gain = /embed/.test(name) ? 1 : Math.sqrt(3 / inDim);
    return { name, shape, amp: Math.fround(gain), offset: 0 };
  });

describe('a layer of full size', () => {
  test('gives the logits of the oracle in the first step', { timeout: 120_000 }, async () => {
    const config = { ...gptConfig('GPT-XL', 16, 't2i'), nLayer: 1 };
    const file = await hashWeights('t2i_XL_stage1_256', 'v1/', hashTensors(config));
    const caption = anyCaption(3, 1, config.captionDim);
    const plain = await openPlain();
    const memory = new Memory(plain.device);
    try {
      expect(bindingLimit(plain.device)).toBe(128 * MIB);
      const network = await (await checkGpt(plain.device, config, file)).load(memory);
      // Of each layer 3.9 MB a slot.
      await expect(createSlots(network, 64, 64)).rejects.toThrow(
        '64 slots need 235.0 MiB for "layers.0.kv" in one binding, and this adapter binds at most 128.0 MiB: 34 slots fit',
      );
      const loop = await tokenLoop(network, { sequences: 1, guided: true });
      loop.start([{ ...sampling({ cfgScale: 7.5 }), caption }]);
      await loop.run(1);
      const logits = await loop.readLogits();
      const weight = await reader(file);
      const first = config.clsTokenNum - caption.tokens;
      const none = weight('cls_embedding.uncond_embedding').subarray(first * config.captionDim);
      const [cond, uncond] = [caption.values, none].map((values) =>
        firstLogits(config, weight, { ...caption, values }),
      );
      const expected = cond!.map((c, i) => uncond![i]! + (c - uncond![i]!) * 7.5);
      // f32 sums of up to 3584 products; guidance multiplies their errors by 14, and logits are about 5.
      expectClose('logits', logits, expected, { nmse: 1e-9, max: 1e-3 });
    } finally {
      memory.freeAll();
      plain.close();
    }
  });
});

type Weight = (name: string) => Float32Array;

/** Weights by name, but for those that the first step does not read. */
async function reader(file: Safetensors): Promise<Weight> {
  const values = new Map<string, Float32Array>();
  for (const { name, source, offset, byteLength: length } of file.tensors.values()) {
    if (name === 'tok_embeddings.weight') continue;
    values.set(name, decodeF32('F32', await source.read(offset, length)));
  }
  return (name) => values.get(name)!;
}

/** The logits of a decoder of one layer behind a caption: every query is zero, so each value counts alike. */
function firstLogits(config: GptConfig, weight: Weight, caption: CaptionFeatures): Float64Array {
  const { dim, hiddenDim, vocabSize, captionDim, normEps } = config;
  const { tokens: rows, values } = caption;
  const projection = (name: string): Float32Array =>
    weight(`cls_embedding.cap_proj.${name}.weight`);
  const inner = linear(
    { rows, inDim: captionDim, outDim: dim },
    { x: values, weight: projection('fc1') },
  );
  const all = linear(
    { rows, inDim: dim, outDim: dim },
    { x: gelu(inner), weight: projection('fc2') },
  );
  const own = (name: string): Float32Array => weight(`layers.0.${name}.weight`);
  const valueRows = own('attention.wqkv').subarray(2 * dim * dim);
  const normed = { rows, inDim: dim, outDim: dim, normEps };
  const v = linear(normed, { x: all, gain: own('attention_norm'), weight: valueRows });
  const mean = Float64Array.from({ length: dim }, (_, i) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += v[row * dim + i]!;
    return sum / rows;
  });
  const one = { rows: 1, inDim: dim, outDim: dim };
  const add = (a: Float64Array, b: Float64Array): Float64Array =>
    a.map((value, i) => value + b[i]!);
  let x = add(
    all.subarray((rows - 1) * dim),
    linear(one, { x: mean, weight: own('attention.wo') }),
  );
  const gated = swiglu(
    { rows: 1, dim, hiddenDim, normEps },
    { x, gain: own('ffn_norm'), w1: own('feed_forward.w1'), w3: own('feed_forward.w3') },
  );
  x = add(x, linear({ ...one, inDim: hiddenDim }, { x: gated, weight: own('feed_forward.w2') }));
  const head = { rows: 1, inDim: dim, outDim: vocabSize, normEps };
  return linear(head, { x, gain: weight('norm.weight'), weight: weight('output.weight') });
}
