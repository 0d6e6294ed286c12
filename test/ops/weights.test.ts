/** Weights in parts: what fits one binding is whole, all else is cut into whole rows. */
import { describe, expect, test } from 'vitest';
import { linear } from '../../kernels/product/linear.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { swiglu } from '../../kernels/product/swiglu.ts';
import { Graph } from '../../src/graph/graph.ts';
import { byteLength } from '../../src/graph/tensor.ts';
import { gptDecoder } from '../../src/models/gpt.ts';
import { GPT_SIZES, gptConfig, gptWeightShapes } from '../../src/models/gpt-config.ts';
import { gptScorer } from '../../src/models/gpt-scorer.ts';
import { headDtypeOf, tableDtypeOf } from '../../src/models/precision.ts';
import { callParts, matrix } from '../../src/ops/weights.ts';
import { MATRIX_DTYPES } from '../support/weights.ts';

const MIB = 2 ** 20;
const precision = {
  variant: { reduce: 'workgroup', f16: false },
  dtype: 'f32',
  kvDtype: 'f32',
} as const;

describe('matrix', () => {
  test('is whole at the limit, and in parts above it', () => {
    const bytes = 12 * 8 * 4;
    const [whole, ...none] = matrix(new Graph(), 'w', 'f32', [12, 8], bytes);
    expect(none).toEqual([]);
    expect(whole).toEqual({
      first: 0,
      count: 12,
      values: { name: 'w', dtype: 'f32', shape: [12, 8], life: 'weight' },
    });
    const parts = matrix(new Graph(), 'w', 'f32', [12, 8], bytes - 4);
    expect(parts.map(({ first, count, values }) => [first, count, values.name])).toEqual([
      [0, 8, 'w[0:8]'],
      [8, 4, 'w[8:12]'],
    ]);
    expect(parts[1]?.values.origin).toEqual({ name: 'w', firstRow: 8, rows: 12 });
  });

  test.each(MATRIX_DTYPES)('%s: parts cover the rows, begin at fours and fit', (dtype) => {
    for (const rows of [1, 5, 8, 13, 100]) {
      for (const inDim of [5, 32, 70]) {
        for (const limit of [400, 1000, 5000]) {
          const parts = matrix(new Graph(), 'w', dtype, [rows, inDim], limit);
          let next = 0;
          for (const { first, count, values, scales } of parts) {
            expect([first, first % 4]).toEqual([next, 0]);
            expect(values.shape).toEqual([count, inDim]);
            expect(scales !== undefined).toBe(dtype === 'int8' || dtype === 'int4');
            if (count > 4) expect(byteLength(values)).toBeLessThanOrEqual(limit);
            next += count;
          }
          expect(next).toBe(rows);
        }
      }
    }
  });
});

describe('callParts', () => {
  test('calls once for what is whole, with the text of a plain kernel', () => {
    const g = new Graph();
    const x = g.state('x', 'f32', [1, 8]);
    const make = () => linear({ rows: 1, inDim: 8, outDim: 12 });
    const { out } = callParts(g, make, { weight: matrix(g, 'w', 'f32', [12, 8]) }, { x });
    expect(g.nodes.map(({ kernel }) => kernel.code)).toEqual([make().code]);
    expect(out.shape).toEqual([1, 12]);
  });

  test('gives every part the output of the first, and integers their scales', () => {
    const g = new Graph();
    const x = g.state('x', 'f32', [1, 64]);
    const weight = matrix(g, 'w', 'int8', [12, 64], 8 * 64);
    const params = { rows: 1, inDim: 64, outDim: 12, dtype: 'int8' } as const;
    const { out } = callParts(
      g,
      (columns) => linear({ ...params, ...(columns && { columns }) }),
      { weight },
      { x },
    );
    expect(g.nodes.map(({ tensors }) => tensors.out)).toEqual([out, out]);
    expect(g.nodes.map(({ tensors }) => tensors.weightScales?.name)).toEqual([
      'w[0:8].scales',
      'w[8:12].scales',
    ]);
    expect(g.nodes.map(({ kernel }) => kernel.bindings.out?.role)).toEqual(['out', 'inout']);
  });

  test('refuses weights that are cut differently', () => {
    const g = new Graph();
    const w1 = matrix(g, 'w1', 'f32', [8, 8], 4 * 32);
    const w3 = matrix(g, 'w3', 'f32', [8, 8]);
    const inputs = { x: g.state('x', 'f32', [1, 8]), gain: g.state('gain', 'f32', [8]) };
    const make = () => swiglu({ rows: 1, dim: 8, hiddenDim: 8, normEps: 0 });
    expect(() => callParts(g, make, { w1, w3 }, inputs)).toThrow(/"w3" is cut into other parts/);
  });
});

test('a decoder by matrices of subgroups takes weights in parts, which are whole matrices', () => {
  const matrix = matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 });
  const g = new Graph();
  const config = { ...gptConfig('GPT-XL', 16), nLayer: 1 };
  gptDecoder(
    g,
    config,
    { rows: 2, slots: 2 },
    {
      variant: { reduce: 'subgroup', f16: true, lanes: 32, matrix },
      tiles: { product: { math: 'matrix' } },
      ...{ dtype: 'f16', kvDtype: 'f16', maxBindingBytes: 1.4 * MIB },
    },
  );
  const qkv = g.residents.filter(({ name }) => name.startsWith('layers.0.attention.wqkv'));
  expect(qkv.length).toBe(7);
  expect(qkv.map(({ shape: [rows = 0] }) => rows % 16)).toEqual(qkv.map(() => 0));
});

describe.each([32, 128])('with bindings of %d MiB', (mib) => {
  const maxBindingBytes = mib * MIB;
  const sizes = Object.keys(GPT_SIZES) as (keyof typeof GPT_SIZES)[];

  test.each(sizes)('every weight of %s fits, and none is lost', (size) => {
    const config = { ...gptConfig(size, 16), nLayer: 1 };
    for (const dtype of MATRIX_DTYPES) {
      const g = new Graph();
      const how = { ...precision, dtype, maxBindingBytes };
      gptDecoder(g, config, { rows: 2, slots: 2 }, how);
      const scorer = new Graph();
      gptScorer(scorer, config, 1, how);
      const names = ({ residents }: Graph): string[] =>
        residents.filter(({ life }) => life === 'weight').map(({ name }) => name);
      expect(names(scorer).sort()).toEqual(names(g).sort());
      const rows = new Map<string, number>();
      for (const tensor of g.residents.filter(({ life }) => life === 'weight')) {
        expect(byteLength(tensor), tensor.name).toBeLessThanOrEqual(maxBindingBytes);
        if (tensor.origin?.scales) continue;
        const name = tensor.origin?.name ?? tensor.name;
        rows.set(name, (rows.get(name) ?? 0) + (tensor.shape[0] ?? 0));
      }
      const expected = gptWeightShapes(config).map(({ name, shape }) => [name, shape[0]]);
      expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(expected));
    }
  });
});

test('f32 weights of GPT-3B are whole at 1 GiB; at 128 MiB head and embeddings come in two', () => {
  const dispatches = (maxBindingBytes: number): number => {
    const g = new Graph();
    const how = { ...precision, maxBindingBytes };
    gptDecoder(g, gptConfig('GPT-3B', 16), { rows: 2, slots: 2 }, how);
    return g.nodes.length;
  };
  expect(dispatches(128 * MIB) - dispatches(1024 * MIB)).toBe(2);
});

test('defaults of head and embeddings follow the matrices', () => {
  expect(headDtypeOf({ ...precision, dtype: 'int8' })).toBe('int8');
  expect(tableDtypeOf({ ...precision, dtype: 'int8' })).toBe('f16');
  expect(tableDtypeOf({ ...precision, dtype: 'bf16' })).toBe('bf16');
  expect(tableDtypeOf({ ...precision, dtype: 'int4', tableDtype: 'bf16' })).toBe('bf16');
});
