/**
 * What loading costs beside the reading: a file of weights that are used as they are stored, against
 * the same file copied into memory in Node.
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Memory } from '../../src/gpu/memory.ts';
import { uploadWeights } from '../../src/gpu/upload.ts';
import type { Tensor } from '../../src/graph/tensor.ts';
import { openFile } from '../../src/node/files.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { repeat, type Timing, timed, timing } from '../repeat.ts';

export interface CopyResult {
  readonly bytes: number;
  /** From the file to buffers of the device. */
  readonly loadMs: Timing;
  /** From the file into memory, by `readFile`. */
  readonly copyMs: Timing;
  /** Speed of loading as a share of the speed of copying, best of all runs. */
  readonly ratio: number;
}

/** Tensors of the file: like the matrices of a large model. */
const TENSORS = 16;
const SHAPE = [4096, 2048] as const;

/** Writes a file of bf16 weights, then loads and copies it in turn. It is removed in any case. */
export async function measureCopy(device: GPUDevice, runs: number): Promise<CopyResult> {
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-bench-'));
  const path = join(folder, 'weights.safetensors');
  try {
    const bytes = writeFile(path);
    const file = await openSafetensors(await openFile(path));
    const memory = new Memory(device);
    const tensors = [...file.tensors.values()].map(
      ({ name, shape }): Tensor => ({ name, shape, dtype: 'bf16', life: 'weight' }),
    );
    const copies: number[] = [];
    const loads = await repeat(runs, async () => {
      copies.push((await timed(() => readFile(path))).ms);
      const { ms } = await timed(() => uploadWeights(memory, file, tensors));
      memory.freeAll();
      return ms;
    });
    const [loadMs, copyMs] = [timing(loads), timing(copies)];
    return { bytes, loadMs, copyMs, ratio: copyMs.min / loadMs.min };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @returns Bytes of the file. */
function writeFile(path: string): number {
  const [rows, columns] = SHAPE;
  const size = 2 * rows * columns;
  const names = Array.from({ length: TENSORS }, (_, i) => `layers.${i}.weight`);
  const header = Object.fromEntries(
    names.map((name, i) => [
      name,
      { dtype: 'BF16', shape: SHAPE, data_offsets: [i * size, (i + 1) * size] },
    ]),
  );
  const text = Buffer.from(JSON.stringify(header).padEnd(4096));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  // Values near 1, no two neighbours alike.
  const data = Buffer.from(
    Uint16Array.from({ length: size / 2 }, (_, i) => 0x3f80 + (i % 127)).buffer,
  );
  const file = openSync(path, 'w');
  try {
    for (const part of [prefix, text, ...names.map(() => data)]) writeFileSync(file, part);
  } finally {
    closeSync(file);
  }
  return prefix.length + text.length + TENSORS * size;
}
