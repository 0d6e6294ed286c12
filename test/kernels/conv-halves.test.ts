/** Convolutions of halves by matrices of subgroups, whole and in steps; see test/support/emulated-math.ts. */

import { describe, expect, test } from 'vitest';
import { compile } from '../../kernels/compile.ts';
import { convHalves, convHalvesParts } from '../../kernels/conv/conv-halves.ts';
import { HALVES_TILES, halvesProblem } from '../../kernels/conv/halves-tile.ts';
import type { MatrixConfig, Variant } from '../../kernels/kernel.ts';
import type { MapTile } from '../../kernels/product/map-tile.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { compareOutputs } from '../records/check.ts';
import * as records from '../records/conv/conv-halves.ts';
import type { KernelRecord, Values } from '../records/record.ts';
import { testDevice } from '../support/device.ts';
import { emulated } from '../support/emulated-math.ts';
import { few } from '../support/few.ts';
import { nullDevice } from '../support/null-device.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();
const lanes = device.adapterInfo.subgroupMaxSize ?? 4;
const sized = (m: number, n: number, k: number, most = lanes): MatrixConfig =>
  matrixConfig({ m, n, k, operand: 'f16', lanes: most });
const variantOf = (matrix: MatrixConfig): Variant => {
  return { reduce: 'subgroup', f16: true, lanes: 4, matrix, halves: true };
};
const small = { tileM: 32, tileN: 32, eachM: 16, eachN: 16, slice: 16, math: 'matrix' } as const;

describe('by emulated matrices', () => {
  const odd = { images: 2, inChannels: 32, outChannels: 35, height: 3, width: 7 } as const;
  const even = { images: 2, inChannels: 32, outChannels: 48, height: 4, width: 12 } as const;
  const cases = [
    { matrix: sized(16, 16, 16), params: { ...odd, kernelSize: 3, residual: true } },
    // More parts than some have slices for.
    { matrix: sized(8, 8, 8), params: { ...odd, kernelSize: 1, split: 3, slice: 8 } },
    // Of whole matrices, not all of them inside of a tile.
    { matrix: sized(16, 8, 16, 2 * lanes), params: { ...even, kernelSize: 1, split: 2 } },
    { matrix: sized(8, 8, 8), params: { ...even, kernelSize: 1, slice: 32, residual: true } },
    { matrix: sized(16, 16, 16), params: { ...even, kernelSize: 3, residual: true } },
    // Of doubled maps, rows of whole matrices and of others.
    { matrix: sized(8, 8, 8), params: { ...even, width: 16, kernelSize: 3, upsample: true } },
    { matrix: sized(8, 8, 8), params: { ...even, kernelSize: 3, upsample: true, split: 2 } },
    // Subgroups half as large as they may be: twice as many as have something to multiply.
    { matrix: sized(16, 8, 16, 2 * lanes), params: { ...odd, kernelSize: 3, split: 2 } },
  ] as const;
  test.each(few(3, cases))('$matrix.m x $matrix.n x $matrix.k: $params', async (given) => {
    const { slice = 16, split, ...sizes } = { slice: undefined, split: undefined, ...given.params };
    const params = { ...sizes, tile: { ...small, slice } };
    const variant = variantOf(given.matrix);
    const kernel = split
      ? convHalvesParts({ ...params, split, variant })
      : convHalves({ ...params, variant });
    const record: KernelRecord = split ? records.convHalvesParts : records.convHalves;
    const inputs: Record<string, ArrayLike<number>> = {};
    for (const [name, { role }] of Object.entries(kernel.bindings)) {
      if (role === 'in') inputs[name] = record.inputs[name]?.(kernel.params) as ArrayLike<number>;
    }
    const made = await runKernel(device, emulated(device, kernel, given.matrix), inputs);
    compareOutputs(record, kernel.params, made as Values, record.oracle(kernel.params, inputs, {}));
  });
});

describe('compiles', () => {
  const params = { images: 2, inChannels: 64, outChannels: 40, height: 9, width: 7 } as const;
  test.each([sized(16, 16, 16, 128), sized(8, 8, 8, 128), sized(8, 16, 16, 128)])(
    '$m x $n x $k',
    async (matrix) => {
      const made = await nullDevice();
      const tile: MapTile = { ...small, tileM: 64, tileN: 64, eachM: 64, eachN: 32, slice: 32 };
      made.pushErrorScope('validation');
      for (const kernelSize of [1, 3] as const) {
        await compile(
          made,
          convHalves({ ...params, kernelSize, tile, variant: variantOf(matrix) }),
        );
      }
      expect(await made.popErrorScope()).toBeNull();
    },
  );
});

describe('tiles', () => {
  const variant = variantOf(sized(16, 16, 16, 32));
  test.each(HALVES_TILES)('$tileM x $tileN, $eachM x $eachN, $slice can be made', (tile) => {
    const most = { ...variant, workgroupBytes: 32768 };
    expect(halvesProblem(tile, most, { m: 128, n: 256 })).toBeUndefined();
  });
  test.each<[Partial<MapTile>, RegExp]>([
    [{ math: 'f16' }, /multiplied as f32 or by matrices/],
    [{ tileM: 16, eachM: 16, eachN: 32 }, /loaded by 0.25 and 2 loads/],
    [{ tileM: 256, eachM: 128 }, /bytes/],
  ])('%o is refused', (tile, message) => {
    const [first] = HALVES_TILES;
    const asked = { ...first, ...tile } as MapTile;
    expect(halvesProblem(asked, variant)).toMatch(message);
    const params = { images: 1, inChannels: 96, outChannels: 4, height: 4, width: 4 } as const;
    expect(() => convHalves({ ...params, kernelSize: 3, variant, tile: asked })).toThrow(message);
  });
  test('matrices of f32 multiply no halves', () => {
    const other = {
      ...variant,
      matrix: matrixConfig({ m: 8, n: 8, k: 8, operand: 'f32', lanes: 32 }),
    } as const;
    expect(halvesProblem({ ...small }, other)).toMatch(/multiply no halves/);
  });
});
