/** How many slots an engine has where nobody says: as many as there is memory for. */
import { DeviceError, OptionError } from '../errors.ts';
import { adapterFacts, bindingLimit } from '../gpu/variants.ts';
import { byteLength } from '../graph/tensor.ts';
import { memoryOf } from '../load/memory.ts';
import type { Model } from '../load/model.ts';
import { modelGraphs } from '../load/model-graphs.ts';
import { MOST_ROWS } from './best-window.ts';
import type { EngineOptions } from './engine-types.ts';
import { createSlots, type Slots, statesOf } from './slots.ts';

/** Rows cost in full there, so that more images at once are hardly faster, and each takes longer. */
const MOST_ON_SOFTWARE = 32;
/** What slots may take of the memory that a software adapter shares with everything else. */
const SOFTWARE_BYTES = 2 ** 30;
export interface Room {
  /** Bytes that one more slot takes: in all, and in the largest of its buffers. */
  readonly bytesASlot: number;
  readonly largestASlot: number;
  /** Bytes that slots may take: in all, and in one buffer. */
  readonly bytes: number;
  readonly bindingBytes: number;
  /** Slots that there is a use for. */
  readonly most: number;
}

/** Slots that fit, an even number unless it is one: guided requests take two. Pure. */
export function fittingSlots({
  bytesASlot,
  largestASlot,
  bytes,
  bindingBytes,
  most,
}: Room): number {
  const fitting = Math.min(most, bytes / bytesASlot, bindingBytes / largestASlot);
  return fitting < 2 ? Math.max(1, Math.floor(fitting)) : 2 * Math.floor(fitting / 2);
}

/**
 * Allocates the slots of an engine: so many, or for `auto` as many as there is memory for, beside what passes and
 * one picture take. That is within `memoryBytes` where they are given, else within what a buffer may have, which is
 * all that WebGPU tells of a device's memory; and half as many, again and again, where it then has not so much.
 * @throws OptionError where `memoryBytes` is too little, DeviceError where there is no room.
 */
export async function engineSlots(model: Model, options: EngineOptions): Promise<Slots> {
  const { capacity = 'auto', rows = MOST_ROWS, memoryBytes } = options;
  if (capacity !== 'auto') return createSlots(model.gpt, capacity, Math.max(capacity, rows));
  const graphs = await modelGraphs(model.config.gpt);
  const { temp } = memoryOf(graphs, model.config, { rows, slots: 1 }, model.gpt.precision);
  for (let count = fittingSlots(roomOf(model, memoryBytes, temp)); ; count = half(count)) {
    try {
      return await slotsBeside(model, count, Math.max(count, rows), temp);
    } catch (error) {
      const isFull = error instanceof DeviceError && error.problem === 'out-of-memory';
      if (!isFull || count <= 2) throw error;
    }
  }
}

/** Half of an even number of slots, even again. */
const half = (count: number): number => 2 * Math.floor(count / 4);

/** Slots, where there is memory for `spare` bytes besides. */
async function slotsBeside(
  { gpt }: Model,
  count: number,
  rows: number,
  spare: number,
): Promise<Slots> {
  const { memory } = gpt;
  const slots = await createSlots(gpt, count, rows);
  const most = bindingLimit(memory.device);
  const tried: GPUBuffer[] = [];
  try {
    await memory.checked('looking for room for passes', () => {
      for (let left = spare; left > 0; left -= most) {
        const size = 4 * Math.ceil(Math.min(left, most) / 4);
        tried.push(memory.create('temp', 'room', size, GPUBufferUsage.STORAGE));
      }
    });
    return slots;
  } catch (error) {
    slots.destroy();
    throw error;
  } finally {
    memory.free(tried);
  }
}

function roomOf(
  { gpt, memory, config }: Model,
  memoryBytes: number | undefined,
  spare: number,
): Room {
  const { device } = gpt.memory;
  const [one, two] = [statesOf(gpt, 1), statesOf(gpt, 2)];
  const each = two.map((tensor, i) => byteLength(tensor) - byteLength(one[i] ?? tensor));
  const bytesASlot = each.reduce((a, b) => a + b, 0);
  const used = Object.values(memory).reduce((a, b) => a + b, 0) + spare;
  const needed = used + 2 * bytesASlot;
  if (memoryBytes !== undefined && memoryBytes < needed) {
    throw new OptionError(
      `"memoryBytes" expected at least ${needed} for ${config.name} with two slots, got ${memoryBytes}`,
    );
  }
  const { software } = adapterFacts(device);
  const untold = software ? SOFTWARE_BYTES : device.limits.maxBufferSize;
  return {
    bytesASlot,
    largestASlot: Math.max(...each),
    bytes: memoryBytes === undefined ? untold : memoryBytes - used,
    bindingBytes: bindingLimit(device),
    most: software ? MOST_ON_SOFTWARE : MOST_ROWS,
  };
}
