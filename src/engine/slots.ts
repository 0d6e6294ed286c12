/** What outlives every program of a decoder: KV cache, tokens and the tables of a pass, for a capacity. */
import { ROW_WORDS } from '../../kernels/lib/row-table.ts';
import { NOT_DRAWN } from '../../kernels/sampler/drawn.ts';
import { SEQUENCE_WORDS } from '../../kernels/sampler/sequence-table.ts';
import { WINDOW_WORDS } from '../../kernels/sampler/window-table.ts';
import { DeviceError } from '../errors.ts';
import { bindingLimit } from '../gpu/variants.ts';
import { Graph } from '../graph/graph.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import type { Network } from '../load/network.ts';
import { gptDecoder } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import { ropeTable } from '../models/rope-table.ts';
import { prefillShape } from './plan-prefill.ts';

export interface Slots {
  /** KV slots, and lines of tokens. */
  readonly count: number;
  /** Most rows of a pass. */
  readonly mostRows: number;
  /** Buffers by the names of the decoder's states; programs bind the beginning of the tables. */
  readonly buffers: ReadonlyMap<string, GPUBuffer>;
  /** One of them. */
  buffer(name: string): GPUBuffer;
  /** Writes a part of one of them, in order with the passes that are submitted. */
  write(name: string, data: Uint32Array<ArrayBuffer>, firstWord?: number): void;
  /** Frees their GPU memory. */
  destroy(): void;
}

/** States that have a line for each row of a pass. */
const WORDS_A_ROW: ReadonlyMap<string, number> = new Map([
  ['rows', ROW_WORDS],
  ['sequences', SEQUENCE_WORDS],
  ['windows', WINDOW_WORDS],
  ['drawn', 1],
]);

/** Lines of a table: captions are prefilled in passes of their own, whose rows have no draws. */
const linesOf = (table: string, { modelType }: GptConfig, mostRows: number): number =>
  modelType === 't2i' && table === 'rows'
    ? Math.max(mostRows, ...prefillShape(false).counts)
    : mostRows;

/** What a decoder keeps from pass to pass, in the same order for any number of slots. */
export function statesOf(
  { config, precision }: Pick<Network<GptConfig>, 'config' | 'precision'>,
  slots: number,
): readonly Tensor[] {
  const g = new Graph();
  gptDecoder(g, config, { rows: 1, slots }, precision);
  return g.residents.filter(({ life }) => life === 'state');
}

/**
 * Allocates slots for a decoder, and tables for passes.
 * @param mostRows Rows that a pass may have.
 * @throws DeviceError when the device has no room for them, or (`limit`) cannot bind what they share.
 */
export async function createSlots(
  network: Network<GptConfig>,
  count: number,
  mostRows: number,
): Promise<Slots> {
  const { config, memory, watch } = network;
  const { queue } = memory.device;
  const states = statesOf(network, count);
  checkRoom(memory.device, states, count);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffers = new Map<string, GPUBuffer>();
  const destroy = (): void => memory.free(buffers.values());
  const named = (name: string): GPUBuffer => {
    const buffer = buffers.get(name);
    if (!buffer) throw new RangeError(`slots have no "${name}"`);
    return buffer;
  };
  const write: Slots['write'] = (name, data, firstWord = 0) =>
    queue.writeBuffer(named(name), firstWord * 4, data);
  try {
    const made = memory.checked('making the KV cache', () => {
      for (const tensor of states) {
        const words = WORDS_A_ROW.get(tensor.name);
        const size =
          words === undefined
            ? byteLength(tensor)
            : linesOf(tensor.name, config, mostRows) * words * 4;
        buffers.set(tensor.name, memory.create('state', tensor.name, size, usage));
      }
      write('rope', new Uint32Array(ropeTable(config).buffer));
      write('drawn', new Uint32Array(mostRows).fill(NOT_DRAWN));
    });
    await watch.race(made);
  } catch (error) {
    destroy();
    throw error;
  }
  return { count, mostRows, buffers, buffer: named, write, destroy };
}

/** Each layer's cache of all slots is one binding. */
function checkRoom(device: GPUDevice, states: readonly Tensor[], slots: number): void {
  const limit = bindingLimit(device);
  const [largest] = states.toSorted((a, b) => byteLength(b) - byteLength(a));
  if (!largest || byteLength(largest) <= limit) return;
  const bytes = byteLength(largest);
  const mebibytes = (n: number): string => `${(n / 2 ** 20).toFixed(1)} MiB`;
  throw new DeviceError(
    'limit',
    `${slots} slots need ${mebibytes(bytes)} for "${largest.name}" in one binding, and this adapter binds at most ${mebibytes(limit)}: ` +
      `${Math.floor((slots * limit) / bytes)} slots fit, two for each guided image (a smaller batch, or capacity of the engine)`,
  );
}
