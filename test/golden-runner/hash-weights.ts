/**
 * Full-size weights that nobody stores: each value is a hash of its tensor's name and its index
 * (test/golden/README.md, "Full-size models with hash weights"). They are read like any file.
 */
import { openSafetensors, type Safetensors } from '../../src/weights/safetensors.ts';
import type { ByteSource } from '../../src/weights/source.ts';

/** One tensor of `config.weights`: value = offset + u * amp, u from -1 to 1. */
export interface HashTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly amp: number;
  readonly offset: number;
}

const GOLDEN_RATIO = 0x9e3779b9;

/** FNV-1a of the UTF-8 bytes of a text. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Scrambles the bits of a 32-bit integer. */
export function mix(value: number): number {
  let x = value;
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  x ^= x >>> 16;
  return x >>> 0;
}

/** The hash of element i of a tensor. */
export const hashOf = (seed: number, i: number): number => mix(Math.imul(i, GOLDEN_RATIO) + seed);

/** The seed of a tensor. */
export const seedOf = (salt: string, name: string): number => mix(fnv1a32(salt + name));

/** Hashes as indices: element i modulo `size`. */
export function hashIndices(salt: string, name: string, length: number, size: number): Uint32Array {
  const seed = seedOf(salt, name);
  return Uint32Array.from({ length }, (_, i) => hashOf(seed, i) % size);
}

/** A safetensors file of f32 hash weights whose bytes are made when they are read. */
export function hashWeights(
  name: string,
  salt: string,
  tensors: readonly HashTensor[],
): Promise<Safetensors> {
  const header: Record<string, unknown> = {};
  const starts: number[] = [];
  let end = 0;
  for (const { name: tensor, shape } of tensors) {
    starts.push(end);
    const size = 4 * shape.reduce((n, d) => n * d, 1);
    header[tensor] = { dtype: 'F32', shape, data_offsets: [end, end + size] };
    end += size;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const dataStart = 8 + text.length;
  const head = new Uint8Array(dataStart);
  new DataView(head.buffer).setBigUint64(0, BigInt(text.length), true);
  head.set(text, 8);
  const source: ByteSource = {
    name,
    byteLength: dataStart + end,
    async read(offset, length) {
      if (offset < dataStart) return head.slice(offset, offset + length);
      const index = starts.findLastIndex((start) => start <= offset - dataStart);
      const tensor = tensors[index];
      const first = (offset - dataStart - (starts[index] ?? 0)) / 4;
      const last = tensor ? first + length / 4 - tensor.shape.reduce((n, d) => n * d, 1) : 1;
      if (!tensor || last > 0 || !Number.isInteger(first)) {
        throw new Error(`${name}: hash weights are read within a tensor, whole values at a time`);
      }
      return new Uint8Array(valuesOf(salt, tensor, first, length / 4).buffer);
    },
  };
  return openSafetensors(source);
}

function valuesOf(
  salt: string,
  { name, amp, offset }: HashTensor,
  first: number,
  length: number,
): Float32Array<ArrayBuffer> {
  const { fround } = Math;
  const seed = seedOf(salt, name);
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const u = (hashOf(seed, first + i) >>> 8) / 2 ** 23 - 1;
    values[i] = offset + fround(u * amp);
  }
  return values;
}
