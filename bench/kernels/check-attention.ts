/** Oracles and work of attention over the KV cache. */
import type { AttentionParams } from '../../kernels/attention/attention.ts';
import { byteLength } from '../../kernels/cost.ts';
import type { Cost, Kernel } from '../../kernels/kernel.ts';
import { attention } from '../../test/oracle/attention.ts';
import { attentionParts } from '../../test/oracle/attention-parts.ts';
import { mergeAttention } from '../../test/oracle/merge-attention.ts';
import type { Family } from './families.ts';
import { type KernelRun, pick } from './run.ts';

interface OneRow {
  readonly row: number;
  readonly params: AttentionParams;
  readonly inputs: {
    readonly q: ArrayLike<number>;
    readonly kv: ArrayLike<number>;
    readonly rowTable: readonly number[];
  };
}

/** The first and the last row, each with its own slot of the cache. */
async function firstAndLast(run: KernelRun): Promise<OneRow[]> {
  const [rows, width] = run.shape('q');
  const [, slots, nKvHead, positions, headDim] = run.shape('kv');
  const rowTable = await run.values('rowTable');
  const params = { rows: 1, nHead: width / headDim, nKvHead, headDim, slots: 1, positions };
  const found: OneRow[] = [];
  for (const row of new Set([0, rows - 1])) {
    const [slot = 0, position = 0] = rowTable.subarray(4 * row, 4 * row + 2);
    const part = nKvHead * positions * headDim;
    const kv = new Float32Array(2 * part);
    for (const which of [0, 1]) {
      kv.set(await run.values('kv', (which * slots + slot) * part, part), which * part);
    }
    const q = await run.values('q', row * width, width);
    found.push({ row, params, inputs: { q, kv, rowTable: [0, position, 0, 0] } });
  }
  return found;
}

/** All heads. */
async function checkAttention(run: KernelRun): Promise<void> {
  const [, width] = run.shape('q');
  for (const { row, params, inputs } of await firstAndLast(run)) {
    const got = await run.values('out', row * width, width);
    run.close(`row ${row}`, got, attention(params, inputs));
  }
}

/** All heads, and of each the parts up to the row's position: others are not written. */
async function checkParts(run: KernelRun): Promise<void> {
  const [, nHead, parts, headDim] = run.shape('out');
  for (const { row, params, inputs } of await firstAndLast(run)) {
    const expected = attentionParts({ ...params, split: parts }, inputs);
    for (const [name, width] of [['out', headDim] as const, ['peaks', 2] as const]) {
      const length = nHead * parts * width;
      const got = await run.values(name, row * length, length);
      const made = [...expected[name].keys()].filter((i) => !Number.isNaN(expected[name][i]));
      const what = `${name} of row ${row}`;
      run.close(what, pick(got, length, made), pick(expected[name], length, made));
    }
  }
}

async function checkMerge(run: KernelRun): Promise<void> {
  const [rows, nHead, parts, headDim] = run.shape('sums');
  const columns = Number(/ x (\d+) columns/.exec(run.kernel.label)?.[1]);
  const [sums, peaks, rowTable] = await Promise.all(
    ['sums', 'peaks', 'rowTable'].map((name) => run.values(name)),
  );
  if (!sums || !peaks || !rowTable) throw new RangeError('no inputs');
  const params = { rows, nHead, headDim, positions: parts * columns, split: parts };
  run.close('output', await run.values('out'), mergeAttention(params, { sums, peaks, rowTable }));
}

/** The cache up to the position of the rows, each in its own slot. */
function work({ bindings }: Kernel, position: number): Cost {
  const [rows = 1, width = 1] = bindings.q?.shape ?? [];
  const [, slots = 1, , positions = 1] = bindings.kv?.shape ?? [];
  const read = ((rows / slots) * (position + 1)) / positions;
  const bytes = Object.entries(bindings).reduce(
    (sum, [name, binding]) => sum + byteLength(binding) * (name === 'kv' ? read : 1),
    0,
  );
  return { bytes, operations: 4 * rows * width * (position + 1) };
}

export const attentionFamilies: readonly Family[] = [
  { words: ['attention'], bindings: 'q kv rowTable out', work, check: checkAttention },
  { words: ['attention_parts'], bindings: 'q kv rowTable out peaks', work, check: checkParts },
  { words: ['merge_attention'], bindings: 'sums peaks rowTable out', check: checkMerge },
];
