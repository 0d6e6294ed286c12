/** GPT kernels against the official PyTorch modules. */
import { describe, test } from 'vitest';
import { attention } from '../../kernels/attention.ts';
import type { Variant } from '../../kernels/kernel.ts';
import { linear } from '../../kernels/linear.ts';
import { matmul } from '../../kernels/matmul.ts';
import { rmsNorm } from '../../kernels/rms-norm.ts';
import { ropeCache } from '../../kernels/rope-cache.ts';
import { siluMul } from '../../kernels/swiglu.ts';
import { ropeTable } from '../../src/models/rope-table.ts';
import { expectClose } from '../oracle/compare.ts';
import { kvIndex } from '../oracle/rope.ts';
import { testDevice } from '../support/device.ts';
import { type GoldenCase, loadGolden } from '../support/golden-case.ts';
import { type Array1, runKernel } from '../support/run-kernel.ts';
import { deviceVariants, F32_VARIANTS } from '../support/variants.ts';

const device = await testDevice();

/** The tolerance of a golden tensor is its `atol`: 30 times what f32 costs the official code. */
function expectGolden(golden: GoldenCase<unknown>, name: string, got: ArrayLike<number>): void {
  expectClose(name, got, golden.tensor(name).data, { nmse: 1e-8, max: golden.atol(name) });
}

/** x [rows, inDim] times a weight [outDim, inDim] of the case. */
async function product(
  golden: GoldenCase<unknown>,
  weight: string,
  { x, rows, variant }: { x: ArrayLike<number>; rows: number; variant: Variant },
): Promise<Array1> {
  const { shape, data } = golden.tensor(weight);
  const sizes = { rows, inDim: shape[1]!, outDim: shape[0]!, variant };
  const kernel = rows > 32 ? matmul(sizes) : linear(sizes);
  return (await runKernel(device, kernel, { x, weight: data })).out!;
}

describe.each([...deviceVariants(device, F32_VARIANTS)])('$reduce', (variant) => {
  test.each(['op_rmsnorm_64', 'op_rmsnorm_100'])('%s', async (name) => {
    const golden = loadGolden<{ eps: number }>(name);
    const { shape, data } = golden.tensor('x');
    const dim = shape.at(-1)!;
    const kernel = rmsNorm({ rows: data.length / dim, dim, eps: golden.config.eps, variant });
    const gain = golden.tensor('weight').data;
    const { out } = await runKernel(device, kernel, { x: data, gain });
    expectGolden(golden, 'y', out!);
  });

  test('op_swiglu_36', async () => {
    const golden = loadGolden<{ hidden: number }>('op_swiglu_36');
    const { shape, data: x } = golden.tensor('x');
    const rows = shape[0]! * shape[1]!;
    const gate = await product(golden, 'w1.weight', { x, rows, variant });
    const up = await product(golden, 'w3.weight', { x, rows, variant });
    const kernel = siluMul({ rows, hiddenDim: golden.config.hidden });
    const { out } = await runKernel(device, kernel, { gate, up });
    expectGolden(golden, 'y', await product(golden, 'w2.weight', { x: out!, rows, variant }));
  });

  interface AttentionConfig {
    readonly n_head: number;
    readonly n_kv_head: number;
    readonly head_dim: number;
    readonly grid: number;
    readonly cls_token_num: number;
    readonly positions: readonly number[];
  }

  test.each(['op_attention_cache_mha', 'op_attention_cache_gqa'])('%s', async (name) => {
    const golden = loadGolden<AttentionConfig>(name);
    const { config } = golden;
    const { shape, data: x } = golden.tensor('x');
    const [slots, length] = [shape[0]!, shape[1]!];
    const rows = slots * length;
    const rope = ropeTable({
      gridSize: config.grid,
      headDim: config.head_dim,
      clsTokenNum: config.cls_token_num,
      ropeBase: 10000,
    });
    const params = {
      ...{ rows, slots, positions: rope.length / config.head_dim, headDim: config.head_dim },
      ...{ nHead: config.n_head, nKvHead: config.n_kv_head },
    };
    const place = Array.from({ length: rows }, (_, r) => [
      Math.floor(r / length),
      r % length,
    ]).flat();
    const qkv = await product(golden, 'wqkv.weight', { x, rows, variant });
    const empty = new Float32Array(
      2 * slots * config.n_kv_head * params.positions * config.head_dim,
    );
    const { q, kv } = await runKernel(device, ropeCache(params), { qkv, rope, place, kv: empty });
    const seen = await runKernel(device, attention({ ...params, variant }), {
      ...{ q: q!, kv: kv!, place },
    });
    const y = await product(golden, 'wo.weight', { x: seen.out!, rows, variant });

    const pick = (slot: number, position: number) => {
      const at = (slot * length + position) * shape[2]!;
      return [...y.subarray(at, at + shape[2]!)];
    };
    const cached = (part: number) =>
      Array.from({ length: slots * config.n_kv_head }, (_, i) =>
        config.positions.flatMap((position) => {
          const [slot, head] = [Math.floor(i / config.n_kv_head), i % config.n_kv_head];
          const at = kvIndex(params, [part, slot, head, position]);
          return [...kv!.subarray(at, at + config.head_dim)];
        }),
      ).flat();
    expectGolden(golden, 'k_cache_rows', cached(0));
    expectGolden(golden, 'v_cache_rows', cached(1));
    const outputs = Array.from({ length: slots }, (_, slot) =>
      config.positions.flatMap((position) => pick(slot, position)),
    );
    expectGolden(golden, 'y', outputs.flat());
  });
});

test('op_rope_apply_d64', async () => {
  interface RopeConfig {
    readonly grid: number;
    readonly head_dim: number;
    readonly cls_token_num: number;
    readonly base: number;
  }
  const golden = loadGolden<RopeConfig>('op_rope_apply_d64');
  const { grid, head_dim: headDim, cls_token_num: clsTokenNum, base: ropeBase } = golden.config;
  const rope = ropeTable({ gridSize: grid, headDim, clsTokenNum, ropeBase });
  const { shape, data: x } = golden.tensor('x');
  const pos = golden.tensor('pos').data;
  const [slots, nHead] = [shape[0]!, shape[2]!];
  const rows = slots * pos.length;
  const params = { rows, slots, nHead, nKvHead: 1, headDim, positions: rope.length / headDim };
  const width = nHead * headDim;
  // The heads of x as queries; their key and value do not matter.
  const qkv = Array.from({ length: rows }, (_, r) => [
    ...x.subarray(r * width, (r + 1) * width),
    ...new Float32Array(2 * headDim),
  ]).flat();
  const place = Array.from({ length: rows }, (_, r) => [
    Math.floor(r / pos.length),
    pos[r % pos.length]!,
  ]).flat();
  const kv = new Float32Array(2 * slots * params.positions * headDim);
  const { q } = await runKernel(device, ropeCache(params), { qkv, rope, place, kv });
  expectGolden(golden, 'y', q!);
});
