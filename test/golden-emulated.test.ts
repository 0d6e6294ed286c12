/** The image decoder of the precision `fast`, with its matrices emulated, against golden/fast.json. */

import { expect, test, vi } from 'vitest';
import { type Kernel, MATRIX_FEATURE, type MatrixConfig, type Variant } from '../kernels/kernel.ts';
import { matrixConfig } from '../kernels/product/matrix-texts.ts';
import { Memory } from '../src/gpu/memory.ts';
import { Graph } from '../src/graph/graph.ts';
import { checkVq } from '../src/load/model.ts';
import { parseVqConfig } from '../src/models/vq-config.ts';
import { vqDecoder } from '../src/models/vq-decoder.ts';
import { modelOf, openCase, tensorOf } from './golden-runner/case.ts';
import { judge } from './golden-runner/check.ts';
import { runGraph } from './golden-runner/graph.ts';
import { testDevice } from './support/device.ts';
import { emulated } from './support/emulated-math.ts';
import { few } from './support/few.ts';
import { ROOT } from './support/sources.ts';

const device = await testDevice();
const lanes = device.adapterInfo.subgroupMaxSize ?? 4;
const matrix: MatrixConfig = matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes });
const variant: Variant = { reduce: 'workgroup', f16: true, lanes, matrix, halves: true };

vi.setConfig({ testTimeout: 600_000 });

const golden = await openCase(`${ROOT}/test/golden/vq_rect`);
const config = parseVqConfig(golden.config.model_args);

/** The decoder of the golden case on a device with matrices. */
function decoderWithMatrices() {
  const [height, width] = golden.config.grid as [number, number];
  const codes = tensorOf(golden, 'codes');
  const g = new Graph();
  const shape = { images: codes.shape[0] ?? 1, height, width };
  return { g, codes, vq: vqDecoder(g, config, shape, { variant, dtype: 'f32' }) };
}

const takesMatrices = ({ features }: Kernel): boolean =>
  features?.includes(MATRIX_FEATURE) ?? false;

test('convolutions and attention over pixels are made by matrices', () => {
  const { g } = decoderWithMatrices();
  const names = new Set(
    g.nodes
      .map(({ kernel }) => kernel)
      .filter(takesMatrices)
      .map((k) => k.name),
  );
  expect([...names]).toEqual(expect.arrayContaining(['conv_halves', 'spatial_scores']));
});

// Minutes of barriers on a software adapter.
test.each(few(0, ['vq_rect']))('%s is within the tolerance of fast, and not of exact', async () => {
  const memory = new Memory(device);
  try {
    const options = { precision: 'fast', variant } as const;
    // Its filters become halves while they are loaded.
    const { weights } = await (await checkVq(device, config, modelOf(golden), options)).load(
      memory,
    );
    const { g, codes, vq } = decoderWithMatrices();
    for (const [i, { kernel, tensors }] of g.nodes.entries()) {
      const emulation = emulated(device, kernel, takesMatrices(kernel) ? matrix : undefined);
      g.nodes[i] = { kernel: emulation, tensors };
    }
    const results = await runGraph(memory, weights, g, [[vq.codes, codes.data]], [vq.image]);
    const image = await results.floats(vq.image);
    const exact = judge('image', image, tensorOf(golden, 'image').data, golden.atol('image'));
    expect(exact.maxAbsError).toBeLessThan(golden.fastAtol('image') ?? 0);
    expect(exact.pass).toBe(false);
  } finally {
    memory.freeAll();
  }
});
