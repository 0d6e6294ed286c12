/** Oracles and work of the decoder's kernels. */
import { byteLength } from '../../kernels/cost.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { drawToken, race } from '../../test/oracle/draw-token.ts';
import { filterLogits } from '../../test/oracle/filter-logits.ts';
import { guidance } from '../../test/oracle/guidance.ts';
import { linear } from '../../test/oracle/linear.ts';
import { kvIndex, rotate } from '../../test/oracle/rope.ts';
import { swiglu } from '../../test/oracle/swiglu.ts';
import { Refusal } from '../refusal.ts';
import type { Family } from './families.ts';
import { type KernelRun, pick, samples } from './run.ts';

/** Eps of every RMSNorm of an official decoder. */
const NORM_EPS = 1e-5;
/** Outputs of a row that are compared. */
const COLUMNS = 24;

const sizes = ({ bindings }: Kernel, name: string): readonly number[] =>
  bindings[name]?.shape ?? [];
const size = (kernel: Kernel, name: string, at: number): number => sizes(kernel, name)[at] ?? 1;
/** Bytes of each binding but those that are named. */
const bytesBut = ({ bindings }: Kernel, ...names: readonly string[]): number =>
  Object.entries(bindings)
    .filter(([name]) => !names.includes(name))
    .reduce((sum, [, binding]) => sum + byteLength(binding), 0);

/** The first column that a kernel with a part of a weight makes. */
const firstColumn = ({ label }: Kernel): number => Number(/ from (\d+)/.exec(label)?.[1] ?? 0);

const product = (weights: readonly string[]) => (kernel: Kernel) => ({
  operations: weights.reduce((sum, w) => {
    const [outDim = 1, inDim = 1] = sizes(kernel, w);
    return sum + 2 * size(kernel, 'x', 0) * outDim * inDim;
  }, 0),
});

/** Products: all rows of some columns. */
async function checkProduct(run: KernelRun, weights: readonly string[]): Promise<void> {
  const [rows, inDim] = run.shape('x');
  const [, outDim] = run.shape('out');
  const own = samples(run.shape(weights[0] ?? '')[0], COLUMNS);
  const columns = own.map((column) => column + firstColumn(run.kernel));
  const x = await run.values('x');
  const gain = run.has('gain') ? await run.values('gain') : undefined;
  const params = { rows, inDim, outDim: own.length };
  const got = pick(await run.values('out'), outDim, columns);
  const norm = gain && { gain };
  const [first, second] = await Promise.all(weights.map((name) => run.rows(name, own)));
  if (!first) throw new RangeError('a product without weights');
  if (second && gain) {
    const hidden = { rows, dim: inDim, hiddenDim: own.length, normEps: NORM_EPS };
    run.close('output', got, swiglu(hidden, { x, gain, w1: first, w3: second }));
    return;
  }
  const residual = run.has('residual') && {
    residual: pick(await run.values('residual'), outDim, columns),
  };
  const how = { ...params, ...(norm && { normEps: NORM_EPS }) };
  run.close('output', got, linear(how, { x, weight: first, ...norm, ...residual }));
}

/** All parts together: all rows of some columns. */
async function checkParts(run: KernelRun): Promise<void> {
  const [rows, inDim] = run.shape('x');
  const [split, , outDim] = run.shape('out');
  const own = samples(run.shape('weight')[0], COLUMNS);
  const columns = own.map((column) => column + firstColumn(run.kernel));
  const [x, all, weight] = await Promise.all([
    run.values('x'),
    run.values('out'),
    run.rows('weight', own),
  ]);
  const parts = Array.from({ length: split }, (_, p) =>
    pick(all.subarray(p * rows * outDim, (p + 1) * rows * outDim), outDim, columns),
  );
  const got = Float32Array.from({ length: rows * own.length }, (_, i) =>
    parts.reduce((sum, part) => sum + (part[i] ?? 0), 0),
  );
  run.close('output', got, linear({ rows, inDim, outDim: own.length }, { x, weight }));
}

async function checkSumRows(run: KernelRun): Promise<void> {
  const [parts] = run.shape('x');
  const [x, residual] = await Promise.all([run.values('x'), run.values('residual')]);
  const expected = Float64Array.from(residual, (r, i) => {
    let sum = r;
    for (let p = 0; p < parts; p++) sum += x[p * residual.length + i] ?? 0;
    return sum;
  });
  run.close('output', await run.values('out'), expected);
}

/** The first, a middle and the last head of q, k and v. */
async function checkQkv(run: KernelRun): Promise<void> {
  const [rows, inDim] = run.shape('x');
  const [, slots, nKvHead, positions, headDim] = run.shape('kv');
  const [, width] = run.shape('q');
  const nHead = width / headDim;
  const [x, gain, rope, rowTable] = await Promise.all(
    ['x', 'gain', 'rope', 'rowTable'].map((name) => run.values(name)),
  );
  if (!x || !gain || !rope || !rowTable) throw new RangeError('no inputs');
  const q = await run.values('q');
  const first = firstColumn(run.kernel);
  const [stored] = run.shape('weight');
  const total = nHead + 2 * nKvHead;
  const heads = samples(total, 7).filter(
    (h) => h * headDim >= first && (h + 1) * headDim <= first + stored,
  );
  const cache = { slots, nKvHead, positions, headDim };
  for (const head of heads) {
    const at = Array.from({ length: headDim }, (_, i) => head * headDim + i - first);
    const weight = await run.rows('weight', at);
    const how = { rows, inDim, outDim: headDim, normEps: NORM_EPS };
    const made = linear(how, { x, weight, gain });
    for (let r = 0; r < rows; r++) {
      const [slot = 0, position = 0] = rowTable.subarray(4 * r, 4 * r + 2);
      const own = made.subarray(r * headDim, (r + 1) * headDim);
      const isV = head >= nHead + nKvHead;
      const expected = isV ? own : rotate(own, rope, position);
      if (head < nHead) {
        const from = r * width + head * headDim;
        run.close(`head ${head} of q`, q.subarray(from, from + headDim), expected);
        continue;
      }
      const kvHead = (head - nHead) % nKvHead;
      const from = kvIndex({ ...cache }, [isV ? 1 : 0, slot, kvHead, position]);
      const got = await run.values('kv', from, headDim);
      // A cache of halves holds 11 bits of each value.
      if (run.binding('kv').dtype === 'f32') run.close(`head ${head} of kv`, got, expected);
      else halves(run, got, expected);
    }
  }
}

function halves(run: KernelRun, got: ArrayLike<number>, expected: ArrayLike<number>): void {
  for (let i = 0; i < expected.length; i++) {
    const [g, e] = [got[i] ?? Number.NaN, expected[i] ?? 0];
    if (Math.abs(g - e) <= 2 ** -10 * Math.abs(e) + 1e-6) continue;
    throw new Refusal(`${run.kernel.label}: value ${i} of kv is ${g}, expected ${e}`);
  }
}

async function checkEmbed(run: KernelRun): Promise<void> {
  const [rows, dim] = run.shape('out');
  const [sequences, blockSize] = run.shape('tokens');
  const [rowTable, tokens] = await Promise.all(
    ['rowTable', 'tokens'].map((name) => run.values(name)),
  );
  if (!rowTable || !tokens) throw new RangeError('no inputs');
  const held = firstColumn(run.kernel);
  for (let r = 0; r < rows; r++) {
    const [slot = 0, position = 0] = rowTable.subarray(4 * r, 4 * r + 2);
    const token = tokens[(slot % sequences) * blockSize + position - 1] ?? 0;
    const row = position === 0 ? (rowTable[4 * r + 3] ?? 0) : token - held;
    if (position > 0 && (row < 0 || row >= run.shape('tokenTable')[0])) continue;
    const expected = await run.rows(position === 0 ? 'labelTable' : 'tokenTable', [row]);
    run.same(`row ${r}, value`, await run.values('out', r * dim, dim), expected);
  }
}

/** The first and the last sequence. */
async function checkFilter(run: KernelRun): Promise<void> {
  const [sequences, vocabSize] = run.shape('probs');
  for (const s of new Set([0, sequences - 1])) {
    const how = run.sequences[s];
    if (!how) throw new RangeError(`sequence ${s} has no settings`);
    const logits = await run.values('logits', s * vocabSize, vocabSize);
    const got = await run.values('probs', s * vocabSize, vocabSize);
    run.close(`probabilities of sequence ${s}`, got, filterLogits(logits, how));
  }
}

async function checkDraw(run: KernelRun): Promise<void> {
  const [sequences, vocabSize] = run.shape('probs');
  const [, blockSize] = run.shape('tokens');
  const [rows] = run.shape('rowTable');
  const [capacity] = run.shape('tokens');
  const rowTable = run.before('rowTable');
  const probs = await run.values('probs');
  const params = { sequences, rows, capacity, vocabSize, blockSize, clsTokenNum: 1 };
  const inputs = { probs, sequences: run.sequences, rowTable, tokens: run.before('tokens') };
  const expected = drawToken(params, inputs);
  const tokens = await run.values('tokens');
  for (let s = 0; s < sequences; s++) {
    const step = rowTable[4 * s + 1] ?? 0;
    const own = probs.subarray(s * vocabSize, (s + 1) * vocabSize);
    const drawn = tokens[s * blockSize + step] ?? -1;
    if (race(own, run.sequences[s]?.seed ?? 0, step).includes(drawn)) {
      expected.tokens[s * blockSize + step] = drawn; // one of those that f32 cannot tell apart
    }
  }
  run.same('token', tokens, expected.tokens);
  run.same('row', await run.values('rowTable'), expected.rowTable);
}

/** Guidance; then the filter and the draw. */
async function checkSample(run: KernelRun): Promise<void> {
  const [sequences, vocabSize] = run.shape('logits');
  const [rows] = run.shape('raw');
  const raw = await run.values('raw');
  const given = { logits: raw, rowTable: run.before('rowTable'), sequences: run.sequences };
  const expected = guidance({ sequences, rows, vocabSize, clsTokenNum: 1 }, given);
  run.close('logits', await run.values('logits'), expected);
  await checkFilter(run);
  await checkDraw(run);
}

export const decoderFamilies: readonly Family[] = [
  {
    words: ['linear'],
    bindings: 'x weight gain? residual? out',
    work: product(['weight']),
    check: async (run) => checkProduct(run, ['weight']),
  },
  {
    words: ['linear_parts'],
    bindings: 'x weight out',
    work: product(['weight']),
    check: checkParts,
  },
  { words: ['sum_rows'], bindings: 'x residual out', check: checkSumRows },
  {
    words: ['swiglu'],
    bindings: 'x gain w1 w3 out',
    work: product(['w1', 'w3']),
    check: async (run) => checkProduct(run, ['w1', 'w3']),
  },
  {
    words: ['qkv_rope_cache'],
    bindings: 'x gain weight rope rowTable kv q',
    work(kernel) {
      const written = size(kernel, 'x', 0) * size(kernel, 'weight', 0) * 4;
      return {
        bytes: bytesBut(kernel, 'kv', 'rope', 'q') + written,
        ...product(['weight'])(kernel),
      };
    },
    check: checkQkv,
  },
  {
    words: ['embed'],
    bindings: 'rowTable tokens labelTable tokenTable out',
    work: (kernel) => ({ bytes: 2 * bytesBut(kernel, 'labelTable', 'tokenTable', 'tokens') }),
    check: checkEmbed,
  },
  {
    words: ['sample_token'],
    bindings: 'raw sequenceTable rowTable tokens logits probs',
    check: checkSample,
  },
];
