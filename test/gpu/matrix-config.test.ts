/** Which of the matrices that an adapter lists are used, and that a device is asked for them. */
import { expect, test } from 'vitest';
import { MATRIX_FEATURE } from '../../kernels/kernel.ts';
import { deviceDescriptor } from '../../src/gpu/device.ts';
import { adapterFacts, chooseVariant, matrixConfig } from '../../src/gpu/variants.ts';

const listed = (componentType: string, resultComponentType: string, M: number, N = M, K = M) => ({
  ...{ componentType, resultComponentType, M, N, K },
});
const of = (...subgroupMatrixConfigs: ReturnType<typeof listed>[]) =>
  matrixConfig({ subgroupMaxSize: 32, subgroupMatrixConfigs });

test('products of halves that sum in f32 come first, of the sizes that the adapter prefers', () => {
  const info = [listed('u8', 'u32', 16), listed('f16', 'f16', 16), listed('f32', 'f32', 8)];
  const first = listed('f16', 'f32', 8, 16, 32);
  expect(of(...info, first, listed('f16', 'f32', 16))).toEqual({
    ...{ m: 8, n: 16, k: 32, operand: 'f16', lanes: 32 },
  });
});

test('then products of f32, and none where halves are summed in halves', () => {
  expect(of(listed('f16', 'f16', 8), listed('f32', 'f32', 8))).toEqual({
    ...{ m: 8, n: 8, k: 8, operand: 'f32', lanes: 32 },
  });
  expect(of(listed('f16', 'f16', 8))).toBeUndefined();
  expect(matrixConfig({ subgroupMaxSize: 32 })).toBeUndefined();
  expect(matrixConfig({ subgroupMatrixConfigs: [listed('f16', 'f32', 16)] })).toBeUndefined();
});

/** As much of a device as the choice looks at. */
const deviceWith = (...features: readonly string[]): GPUDevice =>
  ({
    features: new Set(features),
    adapterInfo: {
      ...{ architecture: '', isFallbackAdapter: false, subgroupMinSize: 32, subgroupMaxSize: 32 },
      subgroupMatrixConfigs: [listed('f16', 'f32', 16)],
    },
  }) as unknown as GPUDevice;

test('a variant has matrices where the device was created with the feature', () => {
  const variant = (...features: string[]) =>
    chooseVariant(adapterFacts(deviceWith('subgroups', 'shader-f16', ...features)));
  const matrix = { m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 };
  const others = { reduce: 'subgroup', f16: true, lanes: 32 };
  expect(variant(MATRIX_FEATURE)).toEqual({ ...others, matrix });
  expect(variant()).toEqual(others);
});

test('a device is asked for matrices where the adapter has them', () => {
  const adapter = (...features: string[]) =>
    ({ features: new Set(features), limits: {} }) as unknown as GPUAdapter;
  const asked = (...features: string[]) => deviceDescriptor(adapter(...features)).requiredFeatures;
  expect(asked('subgroups', MATRIX_FEATURE)).toEqual(['subgroups', MATRIX_FEATURE]);
  expect(asked('subgroups')).toEqual(['subgroups']);
});
