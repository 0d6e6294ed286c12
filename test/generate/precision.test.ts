/** Whole models with weights of every storage, whole and in parts. */

import { afterAll, describe, expect, test } from 'vitest';
import type { MatrixDType } from '../../kernels/kernel.ts';
import { tokenLoop } from '../../src/engine/token-loop.ts';
import { OptionError } from '../../src/errors.ts';
import { scoreTokens } from '../../src/generate/score.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { bindingLimit } from '../../src/gpu/variants.ts';
import { checkGpt } from '../../src/load/model.ts';
import { gptPrecision, type PrecisionOptions } from '../../src/load/precision.ts';
import { gptConfig, gptWeightShapes, parseGptConfig } from '../../src/models/gpt-config.ts';
import { keepsPrecision, quantisedEntries } from '../../src/weights/quantize.ts';
import { quantizeRows } from '../../src/weights/quantize-rows.ts';
import { openSafetensors, type Safetensors } from '../../src/weights/safetensors.ts';
import { memorySource } from '../../src/weights/source.ts';
import { hashWeights } from '../golden-runner/hash-weights.ts';
import { runCase } from '../golden-runner/run.ts';
import { difference } from '../oracle/compare.ts';
import { dequantizeRows } from '../support/dequantize.ts';
import { testDevice } from '../support/device.ts';
import { roundF16 } from '../support/f16.ts';
import { few } from '../support/few.ts';
import { openPlain } from '../support/plain-device.ts';
import { normal } from '../support/random.ts';
import { bytesOf, type StoredTensor, writeSafetensors } from '../support/safetensors.ts';
import { sampling } from '../support/sampling.ts';
import { ROOT } from '../support/sources.ts';

const device = await testDevice();
const memory = new Memory(device);
afterAll(() => memory.freeAll());

describe('golden cases', () => {
  test.each(few(1, ['c2i_odd_mha', 'c2i_batch4', 'c2i_odd_gqa']))(
    '%s with every matrix in parts',
    async (name) => {
      // A few rows a part: hundreds of dispatches for the largest.
      const { checks } = await runCase(device, `${ROOT}/test/golden/${name}`, {
        maxBindingBytes: 16384,
      });
      expect(checks.filter(({ pass }) => !pass)).toEqual([]);
      expect(checks.length).toBeGreaterThan(1);
    },
  );

  test('c2i_tiny_bf16 with its weights used as they are', async () => {
    const folder = `${ROOT}/test/golden/c2i_tiny_bf16`;
    const { checks } = await runCase(device, folder, { dtype: 'bf16' });
    expect(checks.filter(({ pass }) => !pass)).toEqual([]);
  });
});

const config = parseGptConfig({
  ...{ dim: 72, n_layer: 2, n_head: 6, n_kv_head: 3, multiple_of: 4 },
  ...{ vocab_size: 203, num_classes: 3, block_size: 16 },
});

/** What a device sees of a matrix or a table that is put on it with a storage. */
function meant(
  name: string,
  as: MatrixDType,
  values: Float32Array<ArrayBuffer>,
  [rows, inDim]: readonly [number, number],
): Float32Array<ArrayBuffer> {
  if (as === 'f32') return values;
  if (as === 'bf16') {
    const bits = new Uint32Array(values.buffer).map(
      (b) => (b + 0x7fff + ((b >>> 16) & 1)) & ~0xffff,
    );
    return new Float32Array(bits.buffer);
  }
  if (as === 'f16' || keepsPrecision(name)) return new Float32Array(roundF16(values));
  const dtype = name === 'output.weight' ? 'int8' : as;
  return dequantizeRows(dtype, quantizeRows(dtype, values, rows, inDim), rows, inDim);
}

/**
 * Random weights: floats, or integers as a converter stores them.
 * @param as Floats that a storage holds exactly: those it makes of the random ones.
 */
function fileOf(dtype: 'f32' | 'int8' | 'int4', as: MatrixDType = 'f32'): Promise<Safetensors> {
  const tensors: Record<string, StoredTensor> = {};
  gptWeightShapes(config).forEach(({ name, shape }, i) => {
    const [rows = 1, inDim = 1] = shape;
    const norm = shape.length === 1;
    const random = normal(rows * inDim, 50 + i, norm ? 0.1 : 0.15, norm ? 1 : 0);
    const values = norm ? random : meant(name, as, random, [rows, inDim]);
    if (dtype === 'f32' || keepsPrecision(name)) {
      tensors[name] = { dtype: 'F32', shape, bytes: bytesOf(values) };
      return;
    }
    const own = name === 'output.weight' ? 'int8' : dtype;
    const { quants, scales } = quantizeRows(own, values, rows, inDim);
    const [first, second] = quantisedEntries(own, name, [rows, inDim]);
    tensors[first!.name] = { ...first!, bytes: bytesOf(quants) };
    tensors[second!.name] = { ...second!, bytes: bytesOf(scales) };
  });
  return openSafetensors(memorySource('gpt', writeSafetensors(tensors)));
}

const GRID = { label: 1, tokens: Array.from({ length: 16 }, (_, i) => (i * 53) % 203) };

async function logitsOf(file: Safetensors, options: PrecisionOptions): Promise<Float32Array> {
  const network = await (
    await checkGpt(device, config, file, { precision: 'exact', ...options })
  ).load(memory);
  return scoreTokens(network, [GRID]);
}

describe('storage', () => {
  test.each(few(1, ['bf16', 'f16', 'int4', 'int8'] as const))(
    '%s made while loading gives the logits of the values it stands for',
    async (dtype) => {
      const got = await logitsOf(await fileOf('f32'), { dtype });
      const expected = await logitsOf(await fileOf('f32', dtype), {});
      // The same weights, in f32 sums of another order.
      expect(difference(got, expected).nmse).toBeLessThan(1e-10);
      const { nmse } = difference(got, await logitsOf(await fileOf('f32'), {}));
      expect(nmse).toBeGreaterThan(1e-8);
    },
  );

  test.each(['int8', 'int4'] as const)(
    '%s from a file gives the logits of quantising while loading',
    async (dtype) => {
      // Tables are f16 where they are rounded while loading; the file has f32 ones.
      const table = { tableDtype: 'f32', headDtype: 'int8' };
      const stored = await fileOf(dtype);
      expect(gptPrecision(device, stored)).toMatchObject({ dtype, ...table });
      const loaded = await logitsOf(stored, {});
      const { nmse } = difference(await logitsOf(await fileOf('f32'), { dtype }), loaded);
      expect(nmse).toBeLessThan(1e-6);
    },
  );

  test.each(few(1, ['f32', 'int4', 'int8'] as const))(
    '%s in parts gives the same bits',
    async (dtype) => {
      const file = await fileOf(dtype);
      const whole = await logitsOf(file, {});
      expect(await logitsOf(file, { maxBindingBytes: 6000 })).toEqual(whole);
    },
  );

  test.each(few(1, ['bf16', 'int8', 'int4'] as const))(
    '%s: tokens do not depend on the batch, nor on parts',
    async (dtype) => {
      const file = await fileOf('f32');
      const draw = async (labels: readonly number[], maxBindingBytes?: number) => {
        const options = { dtype, ...(maxBindingBytes && { maxBindingBytes }) };
        const network = await (
          await checkGpt(device, config, file, {
            precision: 'exact',
            ...options,
          })
        ).load(memory);
        const loop = await tokenLoop(network, { sequences: labels.length, guided: true });
        loop.start(labels.map((label) => ({ ...sampling({ seed: label, cfgScale: 2 }), label })));
        await loop.run(16);
        const tokens = [...(await loop.readTokens())];
        return labels.map((label, i) => [label, tokens.slice(i * 16, (i + 1) * 16)] as const);
      };
      const [alone] = await draw([2]);
      const together = await draw([0, 2, 1], 6000);
      expect(together.find(([label]) => label === 2)).toEqual(alone);
    },
  );

  test('integers are loaded as they are or not at all', async () => {
    const file = await fileOf('int8');
    for (const dtype of ['f32', 'bf16', 'int4'] as const) {
      expect(() => gptPrecision(device, file, { dtype })).toThrow(OptionError);
    }
    expect(() => gptPrecision(device, file, { dtype: 'f32' })).toThrow(
      /gpt: its matrices are stored as int8 and cannot be loaded as f32/,
    );
    expect(gptPrecision(device, file, { dtype: 'int8' }).dtype).toBe('int8');
  });

  test('an unknown storage is refused with those there are', async () => {
    const file = await fileOf('f32');
    const options = { dtype: 'int3' } as unknown as PrecisionOptions;
    expect(() => gptPrecision(device, file, options)).toThrow(
      /"dtype" expected auto, f32, f16, bf16, int8, int4, got "int3"/,
    );
  });
});

describe('a device with the default limits', () => {
  test('scores a model whose head and embeddings are larger than its bindings', async () => {
    const plain = await openPlain();
    try {
      expect(bindingLimit(device)).toBeGreaterThan(2 ** 27);
      expect(bindingLimit(plain.device)).toBe(2 ** 27);
      const big = {
        ...{ ...gptConfig('GPT-B', 16), dim: 64, nHead: 1, nKvHead: 1, headDim: 64 },
        ...{
          hiddenDim: 64,
          nLayer: 1,
          vocabSize: 600_000,
          numClasses: 3,
          blockSize: 4,
          gridSize: 2,
        },
      };
      const tensors = gptWeightShapes(big).map(({ name, shape }) => {
        const norm = shape.length === 1;
        return { name, shape, amp: norm ? 0 : 0.2, offset: norm ? 1 : 0 };
      });
      const grid = { label: 1, tokens: [1, 599_999, 300_001, 299_999] };
      const score = async (on: GPUDevice): Promise<Float32Array> => {
        const own = new Memory(on);
        const file = await hashWeights('big', 'salt', tensors);
        const network = await (await checkGpt(on, big, file)).load(own);
        const logits = await scoreTokens(network, [grid]);
        own.freeAll();
        return logits;
      };
      const whole = await score(device);
      expect((await score(plain.device)).every((v, i) => v === whole[i])).toBe(true);
      expect(whole.some((v) => v !== 0)).toBe(true);
    } finally {
      plain.close();
    }
  });
});
