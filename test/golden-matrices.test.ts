/**
 * A decoder whose products are made by matrices of subgroups, emulated, against its golden case in f32's
 * tolerances: every step.
 */

import { expect, test, vi } from 'vitest';
import { type Kernel, MATRIX_FEATURE, type MatrixConfig, type Variant } from '../kernels/kernel.ts';
import { matrixConfig } from '../kernels/product/matrix-texts.ts';
import { Memory } from '../src/gpu/memory.ts';
import { checkGpt } from '../src/load/model.ts';
import { parseGptConfig } from '../src/models/gpt-config.ts';
import { modelOf, openCase } from './golden-runner/case.ts';
import { decoding, type Run } from './golden-runner/gpt.ts';
import { recordNamed } from './records/index.ts';
import { testDevice } from './support/device.ts';
import { emulated } from './support/emulated-math.ts';
import { ROOT } from './support/sources.ts';

const device = await testDevice();
/** Subgroups half as large as they may be, as in product-matrix.test.ts. */
const lanes = Math.max(8, 2 * (device.adapterInfo.subgroupMaxSize ?? 4));
const matrix: MatrixConfig = matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes });
const variant: Variant = { reduce: 'subgroup', f16: true, lanes: 4, matrix };

/** Labels of the kernels that were emulated. */
const byMatrices = new Set<string>();

/** What this device can run of a kernel: matrices emulated, and no native halves in others. */
function runnable(kernel: Kernel): Kernel {
  if (kernel.features?.includes(MATRIX_FEATURE)) {
    byMatrices.add(kernel.label);
    return emulated(device, kernel, matrix);
  }
  if (!kernel.features?.includes('shader-f16')) return kernel;
  const { params } = kernel as { readonly params: { readonly variant?: Variant } };
  const packed = { ...params, variant: { ...params.variant, f16: false } };
  return recordNamed(kernel.name)?.kernel(packed) ?? kernel;
}

vi.mock('../kernels/compile.ts', async (original) => {
  const { compile, bind, ...rest } = await original<typeof import('../kernels/compile.ts')>();
  return {
    ...rest,
    compile: (on: GPUDevice, kernel: Kernel) => compile(on, runnable(kernel)),
    bind: (on: GPUDevice, kernel: Kernel, ...given: [GPUComputePipeline, never]) =>
      bind(on, runnable(kernel), ...given),
  };
});

test('c2i_tiny_f16 with guidance: greedy tokens and margins', { timeout: 300_000 }, async () => {
  const golden = await openCase(`${ROOT}/test/golden/c2i_tiny_f16`);
  const guided = (golden.config.runs as readonly Run[]).find(({ scale }) => scale > 1)!;
  const config = parseGptConfig(golden.config.model_args);
  const tiles = { product: { math: 'matrix' } };
  const options = { precision: 'exact', variant, tiles, dtype: 'f16' } as const;
  const memory = new Memory(device);
  try {
    const checked = await checkGpt(device, config, modelOf(golden), options);
    const checks = await decoding(await checked.load(memory), golden, guided);
    expect(checks.filter(({ pass }) => !pass)).toEqual([]);
    expect(checks.length).toBe(2);
  } finally {
    memory.freeAll();
  }
  const names = [...byMatrices].map((label) => label.replace(/ .*/, ''));
  expect([...new Set(names)].sort()).toEqual(['linear', 'qkv_rope_cache', 'swiglu']);
});
