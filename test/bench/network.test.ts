/** Networks with random weights. */
import { expect, test } from 'vitest';
import { randomNetwork, weightBytes, weightSpread } from '../../bench/random-network.ts';
import { stepGraph } from '../../bench/step-program.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { parseGptConfig } from '../../src/models/gpt-config.ts';
import { testDevice } from '../support/device.ts';
import { MATRIX_DTYPES } from '../support/weights.ts';

test.each(MATRIX_DTYPES)(
  'a network of %s has every weight of its graph, none of them zero',
  async (dtype) => {
    const memory = new Memory(await testDevice());
    const config = parseGptConfig({
      ...{ dim: 64, n_layer: 1, n_head: 2, vocab_size: 64, num_classes: 4, block_size: 4 },
    });
    const variant = { reduce: 'serial', f16: false } as const;
    const precision = { variant, dtype, kvDtype: 'f32' } as const;
    const define = stepGraph(config, 1, precision);
    const { weights } = await randomNetwork(memory, config, precision, define);
    expect(weights.size).toBe((dtype.startsWith('int') ? 6 : 0) + 11);
    expect(memory.use).toMatchObject({ weights: weightBytes(define), staging: 0 });
    for (const { buffer, size } of weights.values()) {
      const words = new Uint32Array(await readBuffer(memory, buffer, size));
      expect(words.filter((word) => word === 0).length).toBeLessThan(words.length / 100 + 1);
    }
    memory.freeAll();
  },
);

test('weights have the size of trained ones', () => {
  const shape = [8, 300];
  expect(weightSpread('norm.weight', { dtype: 'f32', shape: [64] }).centre).toBe(1);
  expect(weightSpread('conv.bias', { dtype: 'f32', shape: [64] }).centre).toBe(0);
  expect(weightSpread('w.weight', { dtype: 'f16', shape }).spread).toBeCloseTo(0.1);
  const scales = { dtype: 'f16', shape: [8, 5] } as const;
  const { centre } = weightSpread('w.weight.scales', scales, { dtype: 'int8', shape });
  // Quants of the whole range have a deviation of 73.9.
  expect(centre).toBeCloseTo(1 / Math.sqrt(300) / 73.9);
});
