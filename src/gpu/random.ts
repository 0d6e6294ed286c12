/** Random contents of buffers, for whatever is measured and not looked at: limits, tiles, the bench. */
import type { DType } from '../../kernels/kernel.ts';
import { packBf16, packF16 } from '../weights/convert.ts';
import type { Memory } from './memory.ts';

/** Floats are uniform in centre - spread .. centre + spread. */
export interface Spread {
  readonly centre: number;
  readonly spread: number;
}

const SIGNED: Spread = { centre: 0, spread: 1 };

/** Words that are made once and copied over and over: a prime, so that no two rows of a matrix are alike. */
const BLOCK_WORDS = 262139;
/** Where in the block the contents of one seed begin, and those of the next. */
const SEED_WORDS = 40503;

/** Random floats in [0, 1). Source: mulberry32, Tommy Ettinger, 2017. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Words of values: floats of a spread, quants of the whole range, zeros for integers. */
export function randomWords(dtype: DType, { centre, spread }: Spread): Uint32Array<ArrayBuffer> {
  const next = uniform(1);
  if (dtype === 'u32' || dtype === 'i32') return new Uint32Array(BLOCK_WORDS);
  if (dtype === 'int8' || dtype === 'int4') {
    // -128 is not a quant of int8; odd bytes are never that.
    const always = dtype === 'int8' ? 0x01010101 : 0;
    return Uint32Array.from({ length: BLOCK_WORDS }, () => (next() * 2 ** 32) | always);
  }
  const length = dtype === 'f32' ? BLOCK_WORDS : 2 * BLOCK_WORDS;
  const values = Float32Array.from({ length }, () => centre + spread * (2 * next() - 1));
  if (dtype === 'f32') return new Uint32Array(values.buffer);
  const bytes = new Uint8Array(values.buffer);
  const losses = { overflowed: 0, flushed: 0 };
  if (dtype === 'bf16') return packBf16('F32', bytes, losses);
  return packF16({ file: 'random values', tensor: dtype }, 'F32', bytes, losses);
}

/** Fills buffers by copies on the device, which need neither a shader nor time of JavaScript. */
export class Filler {
  readonly #memory: Memory;
  readonly #blocks = new Map<string, GPUBuffer>();

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /**
   * Queues the filling of a buffer, which needs COPY_DST, in error scopes of whoever fills several. The same
   * dtype, spread and seed give the same contents.
   */
  fill(
    { buffer, offset = 0, size = buffer.size - offset }: GPUBufferBinding,
    dtype: DType,
    spread: Spread = SIGNED,
    seed = 0,
  ): void {
    const { device } = this.#memory;
    const block = this.#block(dtype, spread);
    const encoder = device.createCommandEncoder({ label: 'fill' });
    let from = 4 * ((seed * SEED_WORDS) % BLOCK_WORDS);
    for (let at = 0; at < size; from = 0) {
      const part = Math.min(block.size - from, size - at);
      encoder.copyBufferToBuffer(block, from, buffer, offset + at, part);
      at += part;
    }
    device.queue.submit([encoder.finish()]);
  }

  destroy(): void {
    this.#memory.free(this.#blocks.values());
    this.#blocks.clear();
  }

  #block(dtype: DType, spread: Spread): GPUBuffer {
    const key = `${dtype} ${spread.centre} ${spread.spread}`;
    const known = this.#blocks.get(key);
    if (known) return known;
    const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const block = this.#memory.create('staging', `random ${key}`, 4 * BLOCK_WORDS, usage);
    this.#blocks.set(key, block);
    this.#memory.device.queue.writeBuffer(block, 0, randomWords(dtype, spread));
    return block;
  }
}
