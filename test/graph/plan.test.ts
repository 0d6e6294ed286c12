/** The memory plan, by property: no two temps that are alive at once share a slot. */
import { describe, expect, test } from 'vitest';
import { type Kernel, PORTABLE } from '../../kernels/kernel.ts';
import { Graph, type Node } from '../../src/graph/graph.ts';
import { plan } from '../../src/graph/plan.ts';
import { byteLength, type Tensor } from '../../src/graph/tensor.ts';
import { gptDecoder } from '../../src/models/gpt.ts';
import { gptConfig } from '../../src/models/gpt-config.ts';
import { VQ_16 } from '../../src/models/vq-config.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { uniform } from '../support/random.ts';

const precision = {
  variant: { reduce: 'serial', f16: false },
  dtype: 'f32',
  kvDtype: 'f32',
} as const;

const kernel: Kernel = {
  ...{ name: 'k', params: {}, label: 'k', code: '', bindings: {}, workgroups: [1, 1, 1] },
};

/** Calls that each read up to three earlier temps and make one. */
function randomNodes(seed: number, length: number): Node[] {
  const next = uniform(seed);
  const temps: Tensor[] = [];
  return Array.from({ length }, (_, i) => {
    const tensors: Record<string, Tensor> = {};
    for (let j = 0; j < 3; j++) {
      const t = temps[Math.floor(next() * temps.length)];
      if (t) tensors[`in${j}`] = t;
    }
    const made: Tensor = {
      name: `t${i}`,
      dtype: 'f32',
      shape: [1 + Math.floor(next() * 100)],
      life: 'temp',
    };
    temps.push(made);
    return { kernel, tensors: { ...tensors, out: made } };
  });
}

function expectSound(nodes: readonly Node[], keep: ReadonlySet<Tensor>): void {
  const { slots, slotOf } = plan(nodes, keep);
  const first = new Map<Tensor, number>();
  const last = new Map<Tensor, number>();
  nodes.forEach((node, i) => {
    for (const t of Object.values(node.tensors)) {
      if (t.life !== 'temp') continue;
      if (!first.has(t)) first.set(t, i);
      last.set(t, keep.has(t) ? nodes.length : i);
    }
  });
  const temps = [...first.keys()];
  for (const a of temps) {
    expect(slots[slotOf.get(a)!]).toBeGreaterThanOrEqual(byteLength(a));
    for (const b of temps) {
      if (a === b || slotOf.get(a) !== slotOf.get(b)) continue;
      const apart = last.get(a)! < first.get(b)! || last.get(b)! < first.get(a)!;
      expect(apart, `${a.name} and ${b.name} share a slot`).toBe(true);
    }
  }
}

describe('no two temps alive at once share a slot', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('random graph %i', (seed) => {
    const nodes = randomNodes(seed, 60);
    const keep = new Set([nodes[3]!.tensors.out!, nodes[50]!.tensors.out!]);
    expectSound(nodes, keep);
    expectSound(nodes, new Set());
  });

  test('GPT-B and the VQ-16 decoder', () => {
    const gpt = new Graph();
    const pass = { rows: 16, slots: 16, keep: true };
    const { kept } = gptDecoder(gpt, gptConfig('GPT-B', 16), pass, precision);
    expectSound(gpt.nodes, new Set([kept!.logits]));
    const vq = new Graph();
    vqDecoder(vq, VQ_16, { images: 1, height: 16, width: 16 }, precision);
    expectSound(vq.nodes, new Set());
  });
});

test('a layer needs a handful of slots, not one per tensor', () => {
  const g = new Graph();
  gptDecoder(g, gptConfig('GPT-B', 16), { rows: 2, slots: 2 }, precision);
  const temps = g.nodes.length;
  expect(temps).toBe(12 * 5 + 4);
  expect(plan(g.nodes).slots.length).toBeLessThanOrEqual(6);
});

describe.each(['serial', 'workgroup'] as const)('the VQ-16 decoder, %s', (reduce) => {
  const temps = (side: number): number => {
    const g = new Graph();
    const options = { variant: { ...PORTABLE, reduce }, dtype: 'f32' } as const;
    const { rgba } = vqDecoder(g, VQ_16, { images: 1, height: side, width: side }, options);
    return plan(g.nodes, new Set([rgba])).slots.reduce((a, b) => a + b, 0);
  };
  /** Winograd's method keeps the filters of one layer, and a band of its tiles twice. */
  const extra = reduce === 'serial' ? 32 * 2 ** 20 : 0;

  test.each([16, 24, 32])('%i codes a side: three of the largest feature maps', (side) => {
    const largest = 128 * (side * 16) ** 2 * 4;
    expect(temps(side)).toBeLessThan(3.3 * largest + extra);
  });

  test('512x512 pixels: less than 1 GB beside the weights', () => {
    expect(temps(32)).toBeLessThan(1e9);
  });
});
