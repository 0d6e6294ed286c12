/** Files that the writer makes, read back by the reader. */
import { describe, expect, test } from 'vitest';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import {
  type ByteSink,
  safetensorsHeader,
  type TensorOutput,
  writeSafetensors,
} from '../../src/weights/safetensors-writer.ts';
import { memorySource } from '../../src/weights/source.ts';

/** A tensor of the bytes 1, 2, 3, ... in pieces of 5. */
function output(
  name: string,
  dtype: TensorOutput['dtype'],
  shape: readonly number[],
  bytes: number,
): TensorOutput {
  return {
    ...{ name, dtype, shape },
    async *chunks() {
      for (let at = 0; at < bytes; at += 5) {
        yield Uint8Array.from({ length: Math.min(5, bytes - at) }, (_, i) => at + i + 1);
      }
    },
  };
}

function memorySink(): ByteSink & { bytes: number[] } {
  const bytes: number[] = [];
  return {
    bytes,
    async write(chunk) {
      bytes.push(...chunk);
    },
  };
}

const TENSORS = [
  output('half', 'F16', [3], 6),
  output('__proto__', 'F32', [2, 2], 16),
  output('1', 'BF16', [1], 2),
  output('empty', 'F32', [0, 3], 0),
  output('scalar', 'F64', [], 8),
];

test('what is written is what is read, with metadata', async () => {
  const sink = memorySink();
  const progress: number[] = [];
  const written = await writeSafetensors(
    sink,
    TENSORS,
    { format: 'pt', 'ü"': '\n' },
    {
      onProgress: (done, total) => progress.push(done / total),
    },
  );
  expect(written).toBe(sink.bytes.length);
  expect(progress.at(-1)).toBe(1);
  const file = await openSafetensors(memorySource('file', Uint8Array.from(sink.bytes)));
  expect(Object.fromEntries(file.metadata)).toEqual({ format: 'pt', 'ü"': '\n' });
  for (const { name, dtype, shape } of TENSORS) {
    const entry = file.tensors.get(name)!;
    expect(entry).toMatchObject({ dtype, shape });
    const bytes = await entry.source.read(entry.offset, entry.byteLength);
    expect([...bytes]).toEqual(Array.from({ length: entry.byteLength }, (_, i) => i + 1));
  }
});

test('every tensor begins at a multiple of its element size, and data at a multiple of 8', () => {
  const { bytes, order, byteLength } = safetensorsHeader(TENSORS, { format: 'pt' });
  expect(bytes.length % 8).toBe(0);
  expect(order.map(({ dtype }) => dtype)).toEqual(['F64', 'F32', 'F32', 'F16', 'BF16']);
  expect(byteLength).toBe(bytes.length + 32);
});

describe('refused', () => {
  const write = (tensors: TensorOutput[], signal?: AbortSignal) =>
    writeSafetensors(memorySink(), tensors, {}, signal ? { signal } : {});

  test.each<[string, TensorOutput[], string]>([
    ['a name twice', [output('a', 'U8', [1], 1), output('a', 'U8', [1], 1)], 'the name "a"'],
    ['the reserved name', [output('__metadata__', 'U8', [1], 1)], 'the name "__metadata__"'],
    ['too few bytes', [output('a', 'F32', [2], 7)], '"a" expected 8 bytes, got 7'],
    ['too many bytes', [output('a', 'F32', [2], 11)], '"a" expected 8 bytes, got at least 10'],
  ])('%s', async (_, tensors, message) => {
    await expect(write(tensors)).rejects.toThrow(RangeError);
    await expect(write(tensors)).rejects.toThrow(message);
  });

  test('to go on after an abort', async () => {
    await expect(write([], AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
    const stop = new AbortController();
    const late: TensorOutput = {
      ...output('a', 'U8', [2], 2),
      async *chunks() {
        yield Uint8Array.of(1);
        stop.abort(new Error('later'));
        yield Uint8Array.of(2);
      },
    };
    await expect(write([late], stop.signal)).rejects.toThrow('later');
  });
});
