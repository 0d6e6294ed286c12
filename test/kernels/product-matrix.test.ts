/** Products of few rows by matrices of subgroups; see test/support/emulated-math.ts. */

import { describe, expect, test } from 'vitest';
import { compile } from '../../kernels/compile.ts';
import {
  type Kernel,
  MATRIX_FEATURE,
  type MatrixConfig,
  type MatrixDType,
  PORTABLE,
  type Variant,
} from '../../kernels/kernel.ts';
import { type LinearParams, linear as makeLinear } from '../../kernels/product/linear.ts';
import { linearParts } from '../../kernels/product/linear-parts.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import type { MatrixTile } from '../../kernels/product/product-matrix-plan.ts';
import { swiglu } from '../../kernels/product/swiglu.ts';
import { expectClose } from '../oracle/compare.ts';
import { linear as oracle } from '../oracle/linear.ts';
import * as swigluOracle from '../oracle/swiglu.ts';
import { TEXTS } from '../records/texts.ts';
import { testDevice } from '../support/device.ts';
import { emulated } from '../support/emulated-math.ts';
import { few } from '../support/few.ts';
import { nullDevice } from '../support/null-device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { storedWeight } from '../support/weights.ts';

const device = await testDevice();
const nothing = await nullDevice();

/** Subgroups half as large as they may be: twice as many as have something to multiply. */
const lanes = 2 * (device.adapterInfo.subgroupMaxSize ?? 4);
const emulatedOnes: readonly MatrixConfig[] = [
  matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: Math.max(8, lanes) }),
  matrixConfig({ m: 8, n: 8, k: 8, operand: 'f16', lanes }),
];
const variantOf = (matrix: MatrixConfig): Variant => ({
  ...{ reduce: 'subgroup', f16: true, lanes: 4, halves: true, matrix },
});
const tile = { math: 'matrix' } as const;
const linear = (params: LinearParams): Kernel =>
  makeLinear({ ...params, tile: { ...params.tile, ...tile } } as LinearParams & { residual: true });

/** Sums of products in f32, as without matrices (test/records/product/linear.ts). */
const EXACT = { nmse: 1e-11, max: 1e-4 };

const inputsOf = ({ rows, inDim, outDim, dtype = 'f32', normEps, residual }: LinearParams) => {
  const weight = storedWeight('weight', dtype, normal(outDim * inDim, 2, 0.3), [outDim, inDim]);
  return {
    x: normal(rows * inDim, 1),
    weight,
    ...(normEps !== undefined && { gain: normal(inDim, 3, 0.5, 1) }),
    ...(residual && { residual: normal(rows * outDim, 4) }),
  };
};

async function outputOf(params: LinearParams, inputs: ReturnType<typeof inputsOf>, edit = '') {
  const kernel = emulated(device, linear(params), params.variant?.matrix);
  if (edit && !kernel.code.includes(edit)) throw new Error(`no "${edit}" to leave out`);
  const edited = { ...kernel, code: edit ? kernel.code.replace(edit, '') : kernel.code };
  const { weight, ...others } = inputs;
  const { out } = await runKernel(device, edited, { ...others, ...weight.inputs });
  return out as Float32Array;
}

const expected = (params: LinearParams, inputs: ReturnType<typeof inputsOf>) =>
  oracle(params, { ...inputs, weight: inputs.weight.meant });

// More rows and columns than one matrix, many rounds, a last one that is not whole, several matrices of columns.
const sizes: readonly (LinearParams & { readonly tile?: MatrixTile })[] = [
  { rows: 9, inDim: 240, outDim: 16, dtype: 'f16', normEps: 1e-5 },
  { rows: 3, inDim: 1136, outDim: 16, dtype: 'f16', residual: true, tile: { parts: 2 } },
  { rows: 17, inDim: 464, outDim: 48, dtype: 'f16', normEps: 1e-5, tile: { columns: 32 } },
];
const cases = emulatedOnes.flatMap((matrix) =>
  sizes.map((params) => ({
    title: `${matrix.m}x${matrix.n}x${matrix.k} ${JSON.stringify(params)}`,
    params: { ...params, variant: variantOf(matrix) },
  })),
);

describe('is as close as sums of f32', () => {
  test.each(few(1, cases))('$title', async ({ params }) => {
    const inputs = inputsOf(params);
    expectClose('linear', await outputOf(params, inputs), expected(params, inputs), EXACT);
  });
});

const matrix = emulatedOnes[1]!;
const variant = variantOf(matrix);
const small: LinearParams = { rows: 2, inDim: 96, outDim: 8, dtype: 'f16', variant };

const checks: readonly (readonly [title: string, check: () => Promise<void>])[] = [
  [
    'bears rows of any size, each with a scale of its own, and keeps what is not finite',
    async () => {
      const params = { ...small, rows: 6 };
      const inputs = inputsOf(params);
      const scales = [1e30, 1e-30, 65504, 1e-3, 0, 1];
      const x = inputs.x.map((v, i) => v * scales[Math.floor(i / 96)]!);
      x[5 * 96 + 7] = Number.POSITIVE_INFINITY;
      const out = await outputOf(params, { ...inputs, x });
      const all = expected(params, { ...inputs, x });
      for (const r of [0, 1, 2, 3, 4]) {
        const scaled = (values: ArrayLike<number>) =>
          Array.from({ length: 8 }, (_, o) => values[r * 8 + o]! / (scales[r] || 1));
        expectClose(`row ${r}`, scaled(out), scaled(all), EXACT);
      }
      expect(out.slice(40).every((v) => !Number.isFinite(v))).toBe(true);
    },
  ],
  [
    'needs both halves of the input',
    async () => {
      const inputs = inputsOf(small);
      const rest = 'weight_sum0 = subgroupMatrixMultiplyAccumulate(left0, rest, weight_sum0);';
      const out = await outputOf(small, inputs, rest);
      expect(() => expectClose('linear', out, expected(small, inputs), EXACT)).toThrow(/nmse/);
    },
  ],
  [
    'does not unpack what it has packed, which a driver took for the value itself',
    async () => {
      const { code } = linear(small);
      expect(code.slice(code.indexOf('fn put_x'))).not.toContain('unpack2x16float');
    },
  ],
  [
    'gives a row the same bits among any others',
    async () => {
      const inputs = inputsOf({ ...small, rows: 10 });
      const all = await outputOf({ ...small, rows: 10 }, inputs);
      const alone = await outputOf({ ...small, rows: 1 }, { ...inputs, x: inputs.x.slice(9 * 96) });
      expect([...alone]).toEqual([...all.slice(9 * 8)]);
    },
  ],
  [
    'makes both products of swiglu',
    async () => {
      const params = { rows: 3, dim: 40, hiddenDim: 16, normEps: 1e-5, dtype: 'f16' } as const;
      const [w1, w3] = (['w1', 'w3'] as const).map((name, i) =>
        storedWeight(name, 'f16', normal(16 * 40, 3 + i, 0.3), [16, 40]),
      );
      const inputs = { x: normal(120, 1, 2), gain: normal(40, 2, 0.5, 1) };
      const kernel = emulated(device, swiglu({ ...params, variant, tile }), matrix);
      const { out } = await runKernel(device, kernel, { ...inputs, ...w1!.inputs, ...w3!.inputs });
      const meant = { ...inputs, w1: w1!.meant, w3: w3!.meant };
      const tolerance = { nmse: 1e-11, max: 2e-4 };
      expectClose('swiglu', out!, swigluOracle.swiglu(params, meant), tolerance);
    },
  ],
];

describe('a product by matrices', () => {
  test.each(few(1, checks))('%s', (_, check) => check());
});

describe('compiles', () => {
  /** The null backend has subgroups of up to 128: a workgroup has two of them at most. */
  const real = { operand: 'f16', lanes: nothing.adapterInfo.subgroupMaxSize ?? 128 } as const;
  const configs: readonly MatrixConfig[] = [
    matrixConfig({ m: 16, n: 16, k: 16, ...real }),
    matrixConfig({ m: 16, n: 8, k: 16, ...real }),
    matrixConfig({ m: 8, n: 8, k: 8, ...real }),
  ];
  const texts = TEXTS.filter(
    ({ record: { name }, params }) =>
      (/^(linear|qkv_rope_cache)$/.test(name) && 'dim' in params
        ? params.dim === 768
        : /^(linear|swiglu)$/.test(name) && JSON.stringify(params).includes('768')) &&
      'dtype' in params &&
      params.dtype === 'f16',
  );
  test('all three products', () => {
    expect(new Set(texts.map(({ record }) => record.name)).size).toBe(3);
  });
  test.each(texts.map((text) => [text.title, text] as const))(
    '%s',
    async (_, { record, params }) => {
      for (const matrix of configs) {
        const variant = { ...variantOf(matrix), lanes: 32 };
        const kernel = record.kernel({ ...params, variant, tile });
        nothing.pushErrorScope('validation');
        await compile(nothing, kernel);
        expect(await nothing.popErrorScope()).toBeNull();
        expect(kernel.features).toContain(MATRIX_FEATURE);
      }
    },
  );

  const WISH = { columns: 32, parts: 5 };
  // The text only: a workgroup of subgroups of 32 is not a multiple of the null backend's.
  const nvidia = variantOf(matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 }));
  test.each([
    ['a matrix of columns, as many subgroups as 16 KiB hold', 768, {}, 16384, 128, 16],
    ['eight subgroups where there is more', 768, {}, 49152, 256, 16],
    ['many columns: four matrices of each of six subgroups', 8192, {}, 49152, 192, 64],
    ["two matrices and five subgroups at the tile's wish", 768, WISH, 49152, 160, 32],
  ])('%s', async (_, outDim, wish, workgroupBytes, size, columnTile) => {
    const variant = { ...nvidia, workgroupBytes };
    const params = { rows: 16, inDim: 3200, dtype: 'f16', variant } as const;
    const kernel = makeLinear({ ...params, outDim, tile: { ...tile, ...wish } });
    const module = nothing.createShaderModule({ code: kernel.code });
    expect((await module.getCompilationInfo()).messages.map((m) => m.message)).toEqual([]);
    expect(kernel.code).toContain(`@workgroup_size(${size})`);
    expect(kernel.workgroups).toEqual([outDim / columnTile, 1, 1]);
  });
});

describe('refuses matrices', () => {
  const own: Variant = variantOf(matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 }));
  const refused = { rows: 2, inDim: 16, outDim: 16 };
  test.each<[MatrixDType, Variant, RegExp]>([
    ['f32', own, /multiplies weights of f16 as they are, got f32/],
    ['bf16', own, /multiplies weights of f16 as they are, got bf16/],
    ['f16', { ...own, f16: false }, /math "matrix" needs the device feature "shader-f16"/],
    ['f16', PORTABLE, /linear: math "matrix" needs a device with matrices/],
    [
      'f16',
      { ...own, matrix: { ...own.matrix! } },
      /"variant" expected its "matrix" to be what matrixConfig makes/,
    ],
    ['f16', { ...own, reduce: 'serial' }, /needs barriers, which a serial kernel has not/],
    [
      'f16',
      variantOf(matrixConfig({ m: 64, n: 64, k: 16, operand: 'f16', lanes: 32 })),
      /64x64x16/,
    ],
    [
      'f16',
      variantOf(matrixConfig({ m: 8, n: 8, k: 8, operand: 'f32', lanes: 32 })),
      /products of halves/,
    ],
  ])('for weights of %s: %o', (dtype, variant, message) => {
    expect(() => linear({ ...refused, dtype, variant })).toThrow(message);
    expect(() => linear({ ...refused, dtype, variant })).toThrow(RangeError);
  });

  test('for weights that are not whole matrices, and columns that no workgroup has', () => {
    const odd = { ...refused, dtype: 'f16', variant: own } as const;
    expect(() => linear({ ...odd, inDim: 24 })).toThrow(/whole matrices of 16x16, got \[16, 24\]/);
    expect(() => linear({ ...odd, outDim: 20 })).toThrow(/whole matrices of 16x16, got \[20, 16\]/);
    for (const columns of [8, 24, 0])
      expect(() => linear({ ...odd, tile: { columns } })).toThrow(/has 16 columns, or a few times/);
    for (const parts of [0, 1.5])
      expect(() => linear({ ...odd, tile: { parts } })).toThrow(/has one subgroup, or several/);
    for (const large of [{ columns: 176 }, { parts: 5 }, { parts: 9 }])
      expect(() => linear({ ...odd, tile: large })).toThrow(
        /matrices of 16x16x16 and subgroups of 32: \d+ invocations and \d+ bytes, at most 256 and 16384/,
      );
  });

  test('for a part of inDim, and by other names', () => {
    const part = { ...refused, dtype: 'f16', split: 2, variant: own, tile } as const;
    expect(() => linearParts(part)).toThrow(/math "matrix" takes inDim whole, got 2 parts of it/);
    const wrong = { math: 'f8' } as never;
    expect(() => linearParts({ ...part, tile: wrong })).toThrow(
      /math expected f32 or matrix, got f8/,
    );
  });
});
