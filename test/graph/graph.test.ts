/** What the graph accepts and refuses, without a device. */
import { describe, expect, expectTypeOf, test } from 'vitest';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { linear } from '../../kernels/product/linear.ts';
import { Graph } from '../../src/graph/graph.ts';
import { byteLength, type Tensor } from '../../src/graph/tensor.ts';

const kernel = rmsNorm({ rows: 2, dim: 8 });
const inputs = (g: Graph) => ({
  x: g.state('x', 'f32', [2, 8]),
  gain: g.weight('norm.weight', 'f32', [8]),
});

test('a call makes fresh temps of the shapes the kernel writes', () => {
  const g = new Graph();
  const { out } = g.call(kernel, inputs(g));
  expect(out).toMatchObject({ dtype: 'f32', shape: [2, 8], life: 'temp' });
  expect(g.nodes).toHaveLength(1);
  expect(g.residents.map(({ name }) => name)).toEqual(['x', 'norm.weight']);
});

test('asking twice for a weight or a state gives the same handle', () => {
  const g = new Graph();
  expect(inputs(g).gain).toBe(inputs(g).gain);
  expect(inputs(g).x).toBe(inputs(g).x);
});

describe('refused', () => {
  test.each<[string, (g: Graph) => unknown, RegExp]>([
    [
      'another shape',
      (g) => g.call(kernel, { ...inputs(g), x: g.state('y', 'f32', [2, 16]) }),
      /rms_norm.*"x" expected f32\[2,8\], got f32\[2,16\] from "y"/,
    ],
    [
      'another dtype',
      (g) => g.call(kernel, { ...inputs(g), x: g.state('y', 'u32', [2, 8]) }),
      /"x" expected f32\[2,8\], got u32\[2,8\]/,
    ],
    [
      'a tensor that is missing',
      (g) => g.call(kernel, { x: inputs(g).x } as never),
      /no tensor given for "gain"/,
    ],
    [
      'a weight asked for with another shape',
      (g) => [inputs(g), g.weight('norm.weight', 'f32', [9])],
      /"norm.weight" is already a weight f32\[8\], asked for a weight f32\[9\]/,
    ],
    [
      'a weight asked for as a state',
      (g) => [inputs(g), g.state('norm.weight', 'f32', [8])],
      /already/,
    ],
  ])('%s', (_, build, message) => {
    expect(() => build(new Graph())).toThrow(RangeError);
    expect(() => build(new Graph())).toThrow(message);
  });

  test('one tensor bound twice when a use writes it; twice read is fine', () => {
    const g = new Graph();
    const x = g.state('x', 'f32', [2, 8]);
    const weight = g.weight('w', 'f32', [8, 8]);
    const product = linear({ rows: 2, inDim: 8, outDim: 8, residual: true });
    expect(() => g.call(product, { x, weight, residual: x })).not.toThrow();
    const inPlace = {
      ...product,
      bindings: { ...product.bindings, residual: { ...product.bindings.x, role: 'inout' } },
    } as const;
    expect(() => g.call(inPlace, { x, weight, residual: x })).toThrow(
      /"x" is bound as both "x" and "residual", and one of them writes/,
    );
  });

  test('writing a weight', () => {
    const g = new Graph();
    const writes = {
      ...kernel,
      bindings: { ...kernel.bindings, gain: { ...kernel.bindings.gain, role: 'inout' } },
    } as const;
    expect(() => g.call(writes, inputs(g))).toThrow(/"gain" writes the weight "norm.weight"/);
  });
});

test('wrong names do not compile', () => {
  const g = new Graph();
  const { x, gain } = inputs(g);
  expectTypeOf(g.call(kernel, { x, gain }).out).toEqualTypeOf<Tensor>();
  // @ts-expect-error a tensor is missing
  expect(() => g.call(kernel, { x })).toThrow();
  // @ts-expect-error a name is misspelt
  expect(() => g.call(kernel, { x, gian: gain })).toThrow();
  // @ts-expect-error outputs are made, not given
  g.call(kernel, { x, gain, out: x });
});

test('sizes in memory: halves are packed two to a word', () => {
  expect(byteLength({ dtype: 'f32', shape: [3, 5] })).toBe(60);
  expect(byteLength({ dtype: 'f16', shape: [3, 5] })).toBe(32);
  expect(byteLength({ dtype: 'u32', shape: [1] })).toBe(4);
});
