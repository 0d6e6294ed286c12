/** The VQ tokenizer and its blocks against the official PyTorch modules. */
import { describe, expect, test } from 'vitest';
import type { Variant } from '../../kernels/kernel.ts';
import { Graph } from '../../src/graph/graph.ts';
import type { Tensor } from '../../src/graph/tensor.ts';
import {
  attnBlock,
  conv,
  norm,
  resnetBlock,
  type VqContext,
  type VqShape,
} from '../../src/models/vq-blocks.ts';
import { downsampleOf, parseVqConfig } from '../../src/models/vq-config.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { vqEncoder } from '../../src/models/vq-encoder.ts';
import { expectClose } from '../oracle/compare.ts';
import { testDevice } from '../support/device.ts';
import { type GoldenCase, loadGolden } from '../support/golden-case.ts';
import { goldenWeights, runGraph } from '../support/run-graph.ts';
import type { Array1 } from '../support/run-kernel.ts';
import { deviceVariants, F32_VARIANTS, variantName } from '../support/variants.ts';

const device = await testDevice();
const variants = deviceVariants(device, F32_VARIANTS);

interface VqCase {
  readonly model_args: unknown;
  readonly weight_dtype: 'F32' | 'F16';
  readonly downsample: number;
}

/** The tolerance of a golden tensor is its `atol`: 30 times what f32 costs the official code. */
function expectGolden(golden: GoldenCase<unknown>, name: string, got: ArrayLike<number>): void {
  expectClose(name, got, golden.tensor(name).data, { nmse: 1e-8, max: golden.atol(name) });
}

/** Packed pixels against [images, height, width, 3] bytes, which rounding may move by one. */
function expectPixels(golden: GoldenCase<unknown>, name: string, rgba: Array1): void {
  const expected = golden.tensor(name).data;
  const bytes = new Uint8Array(Uint32Array.from(rgba).buffer);
  expect(bytes.length / 4).toBe(expected.length / 3);
  for (let i = 0; i < bytes.length; i++) {
    const wanted = i % 4 === 3 ? 255 : expected[Math.floor(i / 4) * 3 + (i % 4)]!;
    expect(Math.abs(bytes[i]! - wanted), `${name} byte ${i}`).toBeLessThanOrEqual(
      i % 4 === 3 ? 0 : 1,
    );
  }
}

const shapeOf = (shape: readonly number[]): VqShape => ({
  images: shape[0]!,
  height: shape.at(-2)!,
  width: shape.at(-1)!,
});

const dtypeOf = ({ weight_dtype }: VqCase): 'f32' | 'f16' =>
  weight_dtype === 'F16' ? 'f16' : 'f32';

/** Decodes the codes of a case, `prefix` before the names of its tensors, and compares all there is. */
async function expectDecoded(name: string, prefix: string, variant: Variant): Promise<void> {
  const golden = loadGolden<VqCase>(name);
  const g = new Graph();
  const shape = shapeOf(golden.tensor(`${prefix}zq`).shape);
  const config = parseVqConfig(golden.config.model_args);
  expect(downsampleOf(config)).toBe(golden.config.downsample);
  const weightDtype = dtypeOf(golden.config);
  const options = { variant, weightDtype, stages: true };
  const { codes, zq, postQuant, stages, image, rgba } = vqDecoder(g, config, shape, options);
  const staged = Object.entries(stages).map(([stage, t]) => [`stage.${stage}`, t] as const);
  const read = { zq, post_quant: postQuant, ...Object.fromEntries(staged), image, rgba };
  const weights = await goldenWeights(name);
  const states = [[codes, golden.tensor(`${prefix}codes`).data]] as const;
  const got = await runGraph<string>(device, g, weights, states, read);
  const compared = Object.keys(read).filter((key) => golden.has(prefix + key));
  expect(compared).toContain('image');
  // In the order of the graph, so that the first tensor to differ is the one named.
  for (const key of compared) expectGolden(golden, prefix + key, got[key]!);
  if (golden.has(`${prefix}image_u8`)) expectPixels(golden, `${prefix}image_u8`, got.rgba!);
}

async function expectEncoded(name: string, variant: Variant): Promise<void> {
  const golden = loadGolden<VqCase>(name);
  const g = new Graph();
  const { shape, data } = golden.tensor('enc.x');
  const config = parseVqConfig(golden.config.model_args);
  const options = { variant, weightDtype: dtypeOf(golden.config), stages: true };
  const { x, stages, latent, indices, quant } = vqEncoder(g, config, shapeOf(shape), options);
  const staged = Object.entries(stages).map(([stage, t]) => [`enc.stage.${stage}`, t] as const);
  const floats = { ...Object.fromEntries(staged), 'enc.latent': latent, 'enc.quant': quant };
  const read = { ...floats, indices };
  const got = await runGraph<string>(device, g, await goldenWeights(name), [[x, data]], read);
  for (const key of Object.keys(floats)) expectGolden(golden, key, got[key]!);
  expect([...got.indices!]).toEqual([...golden.tensor('enc.indices').data]);
}

type Op = (v: VqContext, x: Tensor, outChannels: number) => Tensor;

const conv3: Op = (v, x, outChannels) => conv(v, '', x, { outChannels, kernelSize: 3 });
const downsample: Op = (v, x, outChannels) =>
  conv(v, 'conv', x, { outChannels, kernelSize: 3, stride: 2 });
const normSwish: Op = (v, x) => norm(v, 'norm', x, true);

const OPS: Readonly<Record<string, Op>> = {
  op_conv3x3_8_3: conv3,
  op_conv3x3_32_40: conv3,
  op_conv3x3_5_9: conv3,
  op_conv1x1_8_20: (v, x, outChannels) => conv(v, '', x, { outChannels, kernelSize: 1 }),
  op_downsample_8_6x8: downsample,
  op_downsample_8_5x7: downsample,
  op_upsample_12_3x5: (v, x, outChannels) =>
    conv(v, 'conv', x, { outChannels, kernelSize: 3, upsample: true }),
  op_groupnorm_swish_32_5x7: normSwish,
  op_groupnorm_swish_96_3x4: normSwish,
  op_resnet_32_64: (v, x, outChannels) => resnetBlock(v, '', x, outChannels),
  op_attnblock_64_3x5: (v, x) => attnBlock(v, '', x),
};

describe.each([...variants])('$reduce', (variant) => {
  const suffix = variantName(variant);
  test(`decodes vq_l2 ${suffix}`, () => expectDecoded('vq_l2', '', variant));
  test(`decodes vq_nol2 ${suffix}`, () => expectDecoded('vq_nol2', '', variant));
  test(`decodes vq_rect ${suffix}`, () => expectDecoded('vq_rect', '', variant));
  test(`decodes the 3x5 grid of vq_l2 ${suffix}`, () => expectDecoded('vq_l2', 'rect.', variant));
  test(`encodes vq_l2 ${suffix}`, () => expectEncoded('vq_l2', variant));
  test(`encodes vq_nol2 ${suffix}`, () => expectEncoded('vq_nol2', variant));

  test.each(Object.keys(OPS))(`%s ${suffix}`, async (name) => {
    const golden = loadGolden<unknown>(name);
    const { shape, data } = golden.tensor('x');
    const g = new Graph();
    const x = g.state('x', 'f32', shape);
    const y = OPS[name]!({ g, variant, weightDtype: 'f32' }, x, golden.tensor('y').shape[1]!);
    expect(y.shape).toEqual(golden.tensor('y').shape);
    const got = await runGraph(device, g, await goldenWeights(name), [[x, data]], { y });
    expectGolden(golden, 'y', got.y);
  });
});
