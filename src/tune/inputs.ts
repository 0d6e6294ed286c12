/** Random contents for everything that some kernel calls read. */

import type { Memory } from '../gpu/memory.ts';
import { Filler } from '../gpu/random.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';

export class Inputs {
  readonly #memory: Memory;
  readonly #contents: ReadonlyMap<string, Uint32Array<ArrayBuffer>>;
  readonly #stands = new Map<Tensor, Tensor>();
  readonly #filler: Filler;
  /** By stand-in, for a program that shares them. */
  readonly buffers: Map<Tensor, GPUBuffer> = new Map();

  /** @param contents Words of integer tensors by name; others are zero. */
  constructor(memory: Memory, contents: ReadonlyMap<string, Uint32Array<ArrayBuffer>>) {
    this.#memory = memory;
    this.#filler = new Filler(memory);
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
    const words = this.#contents.get(stand.name);
    if (words) this.#memory.device.queue.writeBuffer(buffer, 0, words);
    else this.#filler.fill({ buffer }, stand.dtype);
  }

  destroy(): void {
    this.#memory.free(this.buffers.values());
    this.#filler.destroy();
    this.buffers.clear();
    this.#stands.clear();
  }
}
