import { describe, expect, test } from 'vitest';
import {
  checkpointMemory,
  folderBytes,
  roomProblem,
  WEIGHT_DTYPES,
} from '../../src/catalogue/checkpoint-memory.ts';
import { CHECKPOINTS, resolveCheckpoint } from '../../src/catalogue/checkpoints.ts';
import { estimateMemory } from '../../src/index.ts';
import type { ModelJson } from '../../src/models/model-json.ts';

const memoryOf = (name: string) => checkpointMemory(resolveCheckpoint(name));
const ROOMY = { maxBufferSize: 2 ** 34, maxStorageBufferBindingSize: 2 ** 32 };

describe('the memory of an official model', () => {
  test.each(['c2i-B-256', 'c2i-L-384', 'c2i-3B-384'])('%s is what the runtime takes', (name) => {
    const checkpoint = resolveCheckpoint(name);
    const config = { gpt: checkpoint.gptConfig, vq: checkpoint.vqConfig } as ModelJson;
    for (const dtype of ['f32', 'f16'] as const) {
      const variant = { reduce: 'serial', f16: false } as const;
      const precision = { variant, dtype, kvDtype: 'f32' } as const;
      const { staging, ...expected } = estimateMemory(config, { rows: 2, slots: 2 }, precision);
      const memory = memoryOf(name).get(dtype);
      expect(memory).toMatchObject(expected);
      expect(memory?.total).toBe(expected.weights + expected.state + expected.temp + staging);
    }
  });

  test('shrinks with the bits', () => {
    const weights = [...memoryOf('c2i-3B-384').values()].map((memory) => memory.weights / 1e9);
    const [f32, bf16, f16, int8, int4] = weights as [number, number, number, number, number];
    expect(f32).toBeCloseTo(12.56, 1);
    expect(bf16).toBe(f16);
    // Matrices of 2.99e9 values at 8.25 and 4.5 bits, the head of 0.052e9 at 8.25, embeddings of
    // 0.056e9 at 16, and the tokenizer of 0.042e9 at 32.
    expect(int8).toBeCloseTo(3.42, 1);
    expect(int4).toBeCloseTo(2.02, 1);
    expect(f32 / bf16).toBeLessThan(2);
  });

  test('holds the KV cache of a guided image', () => {
    const { state } = memoryOf('c2i-3B-384').get('bf16')!;
    const cache = 2 * 24 * 2 * (24 * 24 + 1) * 3200 * 4;
    expect(state).toBeGreaterThanOrEqual(cache);
    expect(state).toBeLessThan(1.02 * cache);
  });

  test('of a text model has room for the caption', () => {
    const text = memoryOf('t2i-XL-256').get('f32')!;
    const cache = 2 * 36 * 2 * (16 * 16 + 120) * 1280 * 4;
    expect(text.state).toBeGreaterThanOrEqual(cache);
    expect(text.state).toBeLessThan(1.03 * cache);
    expect(text.weights).toBeGreaterThan(4 * 0.77e9);
  });

  test('is there for each, at each storage type', () => {
    for (const checkpoint of CHECKPOINTS) {
      const dtypes = [...checkpointMemory(checkpoint).keys()];
      expect(dtypes).toEqual(checkpoint.gpt ? WEIGHT_DTYPES : ['f32']);
    }
    expect(memoryOf('vq-ds16-c2i').get('f32')?.temp).toBeGreaterThan(3e7);
  });
});

describe('an adapter', () => {
  const bf16 = memoryOf('c2i-L-384').get('bf16')!;

  test('with large limits and unknown memory is not refused', () => {
    expect(roomProblem(bf16, ROOMY)).toBeUndefined();
  });

  test('is refused by the limit that a buffer exceeds, with both numbers', () => {
    expect(roomProblem(bf16, { ...ROOMY, maxBufferSize: 60e6 })).toMatch(/maxBufferSize/);
    const { largestBuffer } = bf16;
    const room = { ...ROOMY, maxStorageBufferBindingSize: largestBuffer.bytes - 4 };
    expect(roomProblem(bf16, room)).toMatch(/^a result between kernels takes/);
    room.maxStorageBufferBindingSize = largestBuffer.bytes;
    expect(roomProblem(bf16, room)).toBeUndefined();
  });

  test('holds weights that are larger than one binding: they are cut into parts', () => {
    const embeddings = 4 * 16384 * 3200;
    const f32 = memoryOf('c2i-3B-384').get('f32')!;
    expect(f32.largestBuffer.bytes).toBeLessThan(embeddings);
    const room = { ...ROOMY, maxStorageBufferBindingSize: f32.largestBuffer.bytes };
    expect(roomProblem(f32, room)).toBeUndefined();
  });

  test('is refused by its memory where that is known', () => {
    expect(roomProblem(bf16, { ...ROOMY, memoryBytes: bf16.total - 1 })).toMatch(/MB of memory/);
    expect(roomProblem(bf16, { ...ROOMY, memoryBytes: bf16.total })).toBeUndefined();
  });
});

test('a folder has the decoder in its type and the tokenizer in f32', () => {
  const { gpt, vq } = resolveCheckpoint('c2i-B-256');
  const f32 = 4 * (gpt!.parameters + vq.parameters);
  expect(folderBytes(resolveCheckpoint('c2i-B-256'), 'f32')).toBe(f32);
  // Norms, 25 times 768 values, are counted as f32 always.
  const norms = 2 * 25 * 768;
  const bf16 = folderBytes(resolveCheckpoint('c2i-B-256'), 'bf16');
  expect(bf16).toBe(f32 - 2 * gpt!.parameters + norms);
});
