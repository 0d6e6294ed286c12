/** Which matrices of subgroups are tried on a device, which are used, and that it is asked for them. */

import { describe, expect, test } from 'vitest';
import { type Kernel, MATRIX_FEATURE, type MatrixSizes } from '../../kernels/kernel.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { deviceDescriptor } from '../../src/gpu/device.ts';
import { findMatrices } from '../../src/gpu/find-matrices.ts';
import { knowMatrices, matrixSizes } from '../../src/gpu/matrices.ts';
import { variantOf } from '../../src/gpu/variants.ts';
import { testDevice } from '../support/device.ts';
import { emulated } from '../support/emulated-math.ts';
import { nullDevice } from '../support/null-device.ts';

const listed = (componentType: string, resultComponentType: string, M: number, N = M, K = M) => ({
  ...{ componentType, resultComponentType, M, N, K },
});
const shown = ({ m, n, k, operand }: MatrixSizes): string => `${operand} ${m}x${n}x${k}`;

describe('matrices worth trying', () => {
  const of = (...subgroupMatrixConfigs: ReturnType<typeof listed>[]) =>
    matrixSizes({ subgroupMaxSize: 32, subgroupMatrixConfigs }).map(shown);

  test('are those an adapter lists: of halves first, with sums in f32 alone', () => {
    const others = [listed('u8', 'u32', 16), listed('f16', 'f16', 16), listed('f32', 'f32', 8)];
    const halves = [listed('f16', 'f32', 8, 16, 32), listed('f16', 'f32', 16)];
    expect(of(...others, ...halves)).toEqual(['f16 8x16x32', 'f16 16x16x16', 'f32 8x8x8']);
    expect(of(listed('f16', 'f16', 8))).toEqual([]);
  });

  test('are the usual ones of an adapter that lists none', () => {
    const usual = matrixSizes({ subgroupMaxSize: 64 });
    expect(usual.map(shown).slice(0, 3)).toEqual(['f16 16x16x16', 'f16 8x8x8', 'f16 16x8x16']);
    expect(usual.map(shown).at(-1)).toBe('f32 8x8x8');
    expect(usual.every(({ lanes }) => lanes === 64)).toBe(true);
  });

  test('are none where the size of subgroups is not known', () => {
    expect(matrixSizes({ subgroupMatrixConfigs: [listed('f16', 'f32', 16)] })).toEqual([]);
  });
});

/** What becomes of the text of a pipeline: `undefined` is a refusal. */
type Rewrite = (code: string) => string | undefined;

const real = await testDevice();
const lanes = real.adapterInfo.subgroupMaxSize ?? 4;

/**
 * A GPU with the features, whose matrices are plain WGSL on the real device; it has those of one size,
 * and compiles what `rewrite` makes of them.
 */
function gpuWith(own: Omit<MatrixSizes, 'lanes'>, rewrite: Rewrite = (code) => code) {
  const tried: string[] = [];
  const createShaderModule = (descriptor: GPUShaderModuleDescriptor): GPUShaderModule => {
    const { code } = descriptor;
    if (!code.includes('subgroup_matrix')) return real.createShaderModule(descriptor);
    const [, operand, k, m] = /subgroup_matrix_left<(\w+), (\d+), (\d+)>/.exec(code) ?? [];
    const [, n] = /subgroup_matrix_right<\w+, (\d+)/.exec(code) ?? [];
    tried.push(`${operand} ${m}x${n}x${k}`);
    if (tried.at(-1) !== shown({ ...own, lanes })) return real.createShaderModule({ code: 'no' });
    const features = ['shader-f16', 'subgroups', MATRIX_FEATURE] as const;
    const kernel = { code, features } as unknown as Kernel;
    const text = rewrite(emulated(real, kernel, { ...own, lanes }).code);
    return real.createShaderModule({ code: text ?? 'no' });
  };
  const { subgroupMinSize, subgroupMaxSize } = real.adapterInfo;
  const replaced: Readonly<Record<string, unknown>> = {
    createShaderModule,
    features: new Set(['subgroups', 'shader-f16', MATRIX_FEATURE]),
    adapterInfo: { architecture: '', isFallbackAdapter: false, subgroupMinSize, subgroupMaxSize },
  };
  const device = new Proxy(real, {
    get(target, key) {
      if (typeof key === 'string' && key in replaced) return replaced[key];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { device, tried };
}

describe.skipIf(!real.features.has('subgroups'))('a device', () => {
  const sizes = { m: 16, n: 8, k: 16, operand: 'f16' } as const;

  test('has the first matrices that build and multiply as they should, found once', async () => {
    const { device, tried } = gpuWith(sizes);
    expect(variantOf(device).matrix).toBeUndefined();
    const [found, again] = await Promise.all([findMatrices(device), findMatrices(device)]);
    expect(found).toEqual({ config: matrixConfig({ ...sizes, lanes }) });
    expect(again).toBe(found);
    // Operands with their lines across k, then along it, then rows of f32.
    const own = ['f16 16x8x16', 'f16 16x8x16', 'f16 16x8x16'];
    expect(tried).toEqual(['f16 16x16x16', 'f16 8x8x8', ...own]);
    expect(variantOf(device).matrix).toEqual(matrixConfig({ ...sizes, lanes }));
  });

  test.each<[string, Rewrite]>([
    ['leave out a product', (code) => code.replace(/j < (\d+)u/, (_, k) => `j < ${k - 1}u`)],
    [
      'sum in halves',
      (code) => code.replace(/(made.*\]) \+= (.*);/, '$1 = quantizeToF16($1 + $2);'),
    ],
    ['turn a matrix', (code) => code.replace('j * place.stride + i]', 'i * place.stride + j]')],
    [
      'turn one with lines along k',
      (code) =>
        code.replace(
          'i * place.stride + j / 8u][j % 8u / 2u])[j % 2u]',
          'j * place.stride + i / 8u][i % 8u / 2u])[i % 2u]',
        ),
    ],
    ['lose what the first halves of rows leave', (code) => code.replaceAll(/.*, rest, .*/g, '')],
  ])('is left without matrices that %s, and says so', async (_, fault) => {
    const { device } = gpuWith(sizes, fault);
    const { config, note } = await findMatrices(device);
    expect(config).toBeUndefined();
    expect(note).toMatch(/products of 16x8x16 matrices \(f16\) are wrong.*left alone/);
    expect(variantOf(device).matrix).toBeUndefined();
  });

  test('has none where none builds, and no line is said', async () => {
    const { device, tried } = gpuWith(sizes, () => undefined);
    expect(await findMatrices(device)).toEqual({});
    expect(tried).toHaveLength(6);
  });
});

test('every usual size is a product that compiles; of a device that computes nothing it is wrong', async () => {
  const device = await nullDevice();
  const { config, note } = await findMatrices(device);
  expect(config).toBeUndefined();
  expect(note).toMatch(/products of 16x16x16 matrices/);
});

test('software adapters and devices without the feature are asked nothing', async () => {
  expect(await findMatrices(real)).toEqual({});
  const untouched = { features: new Set(['subgroups']) } as unknown as GPUDevice;
  expect(await findMatrices(untouched)).toEqual({});
});

test('what is known of one device can be said of another', () => {
  const device = { features: new Set(), adapterInfo: {}, limits: {} } as unknown as GPUDevice;
  const config = matrixConfig({ m: 8, n: 8, k: 8, operand: 'f16', lanes: 32 });
  knowMatrices(device, { config });
  expect(variantOf(device).matrix).toEqual(config);
});

test('a device is asked for matrices where the adapter has them', () => {
  const adapter = (...features: string[]) =>
    ({ features: new Set(features), limits: {} }) as unknown as GPUAdapter;
  const asked = (...features: string[]) => deviceDescriptor(adapter(...features)).requiredFeatures;
  expect(asked('subgroups', MATRIX_FEATURE)).toEqual(['subgroups', MATRIX_FEATURE]);
  expect(asked('subgroups')).toEqual(['subgroups']);
});
