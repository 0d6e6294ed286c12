/** Random contents for everything that some kernel calls read. */

import type { Memory } from '../gpu/memory.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';

/** Random words are made once and copied over and over. */
const BLOCK_BYTES = 2 ** 20;

/** A word of random bits to a word of values: about -1 to 1, all finite, quants of the whole range. */
const WORDS: Readonly<Record<Tensor['dtype'], (bits: number) => number>> = {
  f32: (bits) => f32Bits((bits >>> 8) / 2 ** 23 - 1),
  f16: (bits) => half(bits) | (half(bits >>> 16) << 16),
  bf16: (bits) => (bf16(bits) | (bf16(bits >>> 16) << 16)) >>> 0,
  // -128 is not a quant of int8; odd bytes are never that.
  int8: (bits) => bits | 0x01010101,
  int4: (bits) => bits,
  u32: () => 0,
  i32: () => 0,
};

/** 16 random bits to a half from 0.25 to 1 or its negative: sign, two exponents, ten bits. */
const half = (bits: number): number =>
  (bits & 0x8000) | (bits & 0x0400 ? 0x3800 : 0x3400) | (bits & 0x3ff);

/** The same for bf16: sign, two exponents, seven bits. */
const bf16 = (bits: number): number =>
  (bits & 0x8000) | (bits & 0x0400 ? 0x3f00 : 0x3e80) | (bits & 0x7f);

const converter = new DataView(new ArrayBuffer(4));

function f32Bits(value: number): number {
  converter.setFloat32(0, value);
  return converter.getUint32(0);
}

export class Inputs {
  readonly #memory: Memory;
  readonly #contents: ReadonlyMap<string, Uint32Array<ArrayBuffer>>;
  readonly #stands = new Map<Tensor, Tensor>();
  readonly #blocks = new Map<Tensor['dtype'], GPUBuffer>();
  /** By stand-in, for a program that shares them. */
  readonly buffers: Map<Tensor, GPUBuffer> = new Map();

  /** @param contents Words of integer tensors by name; others are zero. */
  constructor(memory: Memory, contents: ReadonlyMap<string, Uint32Array<ArrayBuffer>>) {
    this.#memory = memory;
    this.#contents = contents;
  }

  /** A state in the place of a tensor of the model, filled; the same one each time. */
  standIn(tensor: Tensor): Tensor {
    const known = this.#stands.get(tensor);
    if (known) return known;
    const { name, dtype, shape } = tensor;
    const stand: Tensor = { name, dtype, shape, life: 'state' };
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.#memory.create('state', name, byteLength(stand), usage);
    this.#stands.set(tensor, stand);
    this.buffers.set(stand, buffer);
    this.fill(stand);
    return stand;
  }

  /** Gives a stand-in its first contents again. */
  fill(stand: Tensor): void {
    const buffer = this.buffers.get(stand);
    if (!buffer) throw new RangeError(`"${stand.name}" is no stand-in`);
    const { queue } = this.#memory.device;
    const words = this.#contents.get(stand.name);
    if (words) {
      queue.writeBuffer(buffer, 0, words);
      return;
    }
    const block = this.#block(stand.dtype);
    const encoder = this.#memory.device.createCommandEncoder({ label: 'fill' });
    for (let at = 0; at < buffer.size; at += BLOCK_BYTES) {
      encoder.copyBufferToBuffer(block, 0, buffer, at, Math.min(BLOCK_BYTES, buffer.size - at));
    }
    queue.submit([encoder.finish()]);
  }

  destroy(): void {
    this.#memory.free(this.buffers.values());
    this.#memory.free(this.#blocks.values());
    this.buffers.clear();
    this.#stands.clear();
    this.#blocks.clear();
  }

  #block(dtype: Tensor['dtype']): GPUBuffer {
    const known = this.#blocks.get(dtype);
    if (known) return known;
    const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const block = this.#memory.create('staging', `random ${dtype}`, BLOCK_BYTES, usage);
    this.#blocks.set(dtype, block);
    const words = new Uint32Array(BLOCK_BYTES / 4);
    const next = xorshift(1);
    for (let i = 0; i < words.length; i++) words[i] = WORDS[dtype](next());
    this.#memory.device.queue.writeBuffer(block, 0, words);
    return block;
  }
}

/** Random 32-bit words. Source: Marsaglia, Xorshift RNGs, 2003. */
function xorshift(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}
