/** Some calls of a model as a program of their own, to be run and compared. */
import type { Memory } from '../gpu/memory.ts';
import { build, type Program } from '../gpu/program.ts';
import { readBuffer } from '../gpu/readback.ts';
import { Graph, type Node } from '../graph/graph.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import { halfTable } from '../weights/half.ts';
import type { Inputs } from './inputs.ts';

/** The calls of a graph that are tried. */
export interface Selection {
  readonly nodes: readonly Node[];
  readonly selected: ReadonlySet<Node>;
  /** The stand-in of what the calls read and do not make. */
  readonly standIn: (tensor: Tensor) => Tensor;
}

export interface Trial {
  readonly program: Program;
  /** What the calls write for others, in order, each in its first state before a run. */
  outputs(): Promise<Values[]>;
  destroy(): void;
}

export type Values = Float32Array | Uint32Array;

/** So many outputs are compared; the calls of further layers only repeat the first. */
const COMPARED = 4;

/** Builds a program of the selected calls. */
export async function buildTrial(
  memory: Memory,
  inputs: Inputs,
  selection: Selection,
): Promise<Trial> {
  const { standIn } = selection;
  // Stand-ins are made and filled as they are asked for.
  const { g, made } = await memory.checked('making the inputs', () => graphOf(selection));
  const written = outputsOf(selection).slice(0, COMPARED);
  const results = written.map((t) => made.get(t) ?? standIn(t));
  const temps = results.filter(({ life }) => life === 'temp');
  const shared = inputs.buffers;
  const program = await build(memory, g, { weights: new Map(), shared, keep: temps });
  const states = results.filter(({ life }) => life === 'state');
  return {
    program,
    async outputs() {
      const filled = memory.checked('filling the inputs', () => {
        for (const state of states) inputs.fill(state);
      });
      await Promise.all([filled, program.run()]);
      const values: Values[] = [];
      for (const t of results) {
        const bytes = await readBuffer(memory, program.bufferOf(t), byteLength(t));
        values.push(valuesOf(t, bytes));
      }
      return values;
    },
    destroy: () => program.destroy(),
  };
}

/** The selected calls alone, with what stands for each tensor of the model in it. */
function graphOf({ nodes, selected, standIn }: Selection): {
  readonly g: Graph;
  readonly made: ReadonlyMap<Tensor, Tensor>;
} {
  const g = new Graph();
  const made = new Map<Tensor, Tensor>();
  for (const { kernel, tensors } of nodes.filter((node) => selected.has(node))) {
    const fed = Object.entries(kernel.bindings).flatMap(([name, { role }]) => {
      const t = tensors[name];
      return t && role !== 'out' ? [[name, made.get(t) ?? standIn(t)] as const] : [];
    });
    const outs: Readonly<Record<string, Tensor>> = g.call(kernel, Object.fromEntries(fed));
    for (const [name, out] of Object.entries(outs)) {
      const t = tensors[name];
      if (t) made.set(t, out);
    }
  }
  return { g, made };
}

/** Tensors that selected calls write and other calls, or the caller, read. */
export function outputsOf({ nodes, selected }: Selection): Tensor[] {
  const found = new Set<Tensor>();
  const inner = new Set<Tensor>();
  for (const [i, node] of nodes.entries()) {
    if (!selected.has(node)) continue;
    for (const [name, { role }] of Object.entries(node.kernel.bindings)) {
      const t = node.tensors[name];
      if (!t || role === 'in') continue;
      if (role === 'out') inner.add(t);
      const readers = nodes.slice(i + 1).filter((n) => Object.values(n.tensors).includes(t));
      const isInner = inner.has(t) && readers.length > 0 && readers.every((n) => selected.has(n));
      if (!isInner) found.add(t);
    }
  }
  return [...found];
}

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
