/** `exact` and `fast`: what each is by default, and what contradicts `exact`. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { type PrecisionOptions, precisionFor } from '../../src/load/precision.ts';
import { precisionName } from '../../src/models/precision.ts';

/** As much of a device as the choice looks at. */
const deviceOf = (architecture: string): GPUDevice =>
  ({
    features: new Set(['subgroups']),
    limits: { maxBufferSize: 2 ** 30, maxStorageBufferBindingSize: 2 ** 30 },
    adapterInfo: { architecture, isFallbackAdapter: false, subgroupMinSize: 32 },
  }) as unknown as GPUDevice;
const gpu = deviceOf('hopper');
const software = deviceOf('swiftshader');

const chosen = (device: GPUDevice, options: PrecisionOptions = {}) => {
  const precision = precisionFor(device, options, { dtype: 'f16' });
  return `${precisionName(precision)}, ${precision.kvDtype} cache`;
};

describe('the precision', () => {
  test.each([
    ['of a GPU is fast', gpu, {}, 'fast, f16 cache'],
    ['of a software adapter is exact', software, {}, 'exact, f32 cache'],
    ['that is asked for is taken', gpu, { precision: 'exact' }, 'exact, f32 cache'],
    ['that is asked for is taken in software', software, { precision: 'fast' }, 'fast, f16 cache'],
    ['keeps a cache that is asked for', gpu, { kvDtype: 'f32' }, 'fast, f32 cache'],
    ['with an f16 cache is never exact', software, { kvDtype: 'f16' }, 'fast, f16 cache'],
  ] as const)('%s', (_, device, options, expected) => {
    expect(chosen(device, options)).toBe(expected);
  });

  test('decides whether kernels may multiply halves, whatever a variant says', () => {
    for (const precision of ['exact', 'fast'] as const) {
      const options = { precision, variant: { halves: precision === 'exact' } };
      const { variant } = precisionFor(gpu, options, { dtype: 'f32' });
      expect(variant.halves).toBe(precision === 'fast');
    }
  });
});

describe('exact', () => {
  const exact = (options: PrecisionOptions) => () =>
    chosen(gpu, { precision: 'exact', ...options });

  test('refuses an f16 cache', () => {
    expect(exact({ kvDtype: 'f16' })).toThrow(OptionError);
    expect(exact({ kvDtype: 'f16' })).toThrow('"kvDtype" f16 contradicts the precision exact');
  });

  test.each(['f16', 'matrix'])('refuses products of halves that are forced: %s', (math) => {
    expect(exact({ tiles: { conv: { math } } })).toThrow(`the forced conv.math=${math} does`);
    expect(exact({ tiles: { conv: { math: 'f32' }, product: { math } } })).not.toThrow();
  });

  test('leaves out measured tiles that multiply halves; fast takes them', () => {
    // Products of few rows keep what f32 holds on matrix units too.
    const tiles = { 'conv 3x3 1[4,4,9]': { math: 'f16' }, 'product f16[4,4]': { math: 'matrix' } };
    const tilesIn = (precision: 'exact' | 'fast') =>
      precisionFor(gpu, { precision, tiles }, { dtype: 'f32' }).tiles;
    expect(tilesIn('exact')).toEqual({ 'product f16[4,4]': { math: 'matrix' } });
    expect(tilesIn('fast')).toEqual(tiles);
  });
});
