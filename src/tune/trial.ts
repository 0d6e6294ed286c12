/** Operations of a model as a program of their own, to be run and compared. */
import type { Memory } from '../gpu/memory.ts';
import { build, type Program } from '../gpu/program.ts';
import { readBuffer } from '../gpu/readback.ts';
import { Graph } from '../graph/graph.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import type { Called } from '../ops/operation.ts';
import type { Tile } from '../ops/tiles.ts';
import { halfTable } from '../weights/half.ts';
import type { Inputs } from './inputs.ts';

export interface Trial {
  readonly program: Program;
  /** What the operations make, in order, each state in its first contents before a run. */
  outputs(): Promise<Values[]>;
  destroy(): void;
}

export type Values = Float32Array | Uint32Array;

/** So many outputs are compared; the operations of further layers only repeat the first. */
const COMPARED = 4;

/** Builds a program of operations with a tile, over random inputs. */
export async function buildTrial(
  memory: Memory,
  inputs: Inputs,
  calls: readonly Called[],
  tile: Tile,
): Promise<Trial> {
  const g = new Graph();
  // Stand-ins are made and filled as they are asked for.
  const made = await memory.checked('making the inputs', () =>
    calls.map((call) => call.again(g, tile, (t) => inputs.standIn(t))),
  );
  const states = changedStates(g).slice(0, COMPARED);
  const temps = made.slice(0, COMPARED);
  const shared = inputs.buffers;
  const program = await build(memory, g, { weights: new Map(), shared, keep: temps });
  return {
    program,
    async outputs() {
      const filled = memory.checked('filling the inputs', () => {
        for (const state of states) inputs.fill(state);
      });
      await Promise.all([filled, program.run()]);
      const values: Values[] = [];
      for (const t of [...temps, ...states]) {
        const bytes = await readBuffer(memory, program.bufferOf(t), byteLength(t));
        values.push(valuesOf(t, bytes));
      }
      return values;
    },
    destroy: () => program.destroy(),
  };
}

/** States that calls write, such as the KV cache. */
const changedStates = ({ nodes }: Graph): readonly Tensor[] => [
  ...new Set(
    nodes.flatMap(({ kernel, tensors }) =>
      Object.entries(tensors).flatMap(([name, t]) =>
        t.life === 'state' && kernel.bindings[name]?.role !== 'in' ? [t] : [],
      ),
    ),
  ),
];

function valuesOf({ dtype }: Tensor, bytes: ArrayBuffer): Values {
  if (dtype === 'f32') return new Float32Array(bytes);
  if (dtype !== 'f16') return new Uint32Array(bytes);
  const table = halfTable();
  const bits = Uint32Array.from(new Uint16Array(bytes), (half) => table[half] ?? 0);
  return new Float32Array(bits.buffer);
}

/** Mean squared error over the mean square: largest of the outputs; NaN where one holds no number. */
export function disagreement(own: readonly Values[], other: readonly Values[]): number {
  if (own.length !== other.length) return Number.NaN;
  let worst = 0;
  for (const [i, a] of own.entries()) {
    const b = other[i];
    if (b?.length !== a.length) return Number.NaN;
    let [error, square] = [0, 0];
    for (let k = 0; k < a.length; k++) {
      const [x = 0, y = 0] = [a[k], b[k]];
      error += (x - y) ** 2;
      square += x ** 2;
    }
    const nmse = error === 0 ? 0 : error / square;
    worst = Number.isNaN(nmse) ? Number.NaN : Math.max(worst, nmse);
  }
  return worst;
}
