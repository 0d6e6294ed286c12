/** Loading a model of billions of weights takes little memory of the host. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { type GptSize, gptConfig, gptWeightShapes } from '../../src/models/gpt-config.ts';
import { ROOT } from '../support/sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'llamagen-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a whole process may take, Node itself (about 100 MB with tsx) included. */
const MOST_BYTES = 400e6;

/** A sound bf16 file of which all weights are zero: a hole, which takes no place on the disk. */
function sparseFile(size: GptSize): { readonly path: string; readonly dataBytes: number } {
  let end = 0;
  const header = Object.fromEntries(
    gptWeightShapes(gptConfig(size, 16)).map(({ name, shape }) => {
      const begin = end;
      end += 2 * shape.reduce((n, d) => n * d, 1);
      return [name, { dtype: 'BF16', shape, data_offsets: [begin, end] }];
    }),
  );
  const text = new TextEncoder().encode(JSON.stringify(header));
  const prefix = new DataView(new ArrayBuffer(8));
  prefix.setBigUint64(0, BigInt(text.length), true);
  const path = join(folder, `${size}.safetensors`);
  writeFileSync(path, new Uint8Array([...new Uint8Array(prefix.buffer), ...text]));
  truncateSync(path, 8 + text.length + end);
  return { path, dataBytes: end };
}

async function load(path: string, size: GptSize, dtype: string) {
  const child = join(ROOT, 'test', 'support', 'load-child.ts');
  const args = ['--import', import.meta.resolve('tsx'), child, path, size, dtype];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  return JSON.parse(stdout) as {
    readonly created: number;
    readonly written: number;
    readonly seconds: number;
    readonly peakBytes: number;
  };
}

test('GPT-3B, 6.2 GB of bf16, as it is', { timeout: 300_000 }, async () => {
  const { path, dataBytes } = sparseFile('GPT-3B');
  expect(dataBytes).toBeGreaterThan(6.1e9);
  const { written, peakBytes, seconds } = await load(path, 'GPT-3B', 'auto');
  console.log(`GPT-3B: peak ${(peakBytes / 1e6).toFixed(0)} MB, ${seconds.toFixed(1)} s`);
  // Norms become f32.
  expect(written).toBeGreaterThan(dataBytes);
  expect(written).toBeLessThan(dataBytes + 1e6);
  expect(peakBytes).toBeLessThan(MOST_BYTES);
});

test.each([
  ['f32', 2],
  ['int8', 0.6],
] as const)('GPT-B made %s while it is loaded', { timeout: 300_000 }, async (dtype, factor) => {
  const { path, dataBytes } = sparseFile('GPT-B');
  const { written, peakBytes } = await load(path, 'GPT-B', dtype);
  expect(written / dataBytes).toBeGreaterThan(factor - 0.1);
  expect(written / dataBytes).toBeLessThan(factor + 0.1);
  expect(peakBytes).toBeLessThan(MOST_BYTES);
});
