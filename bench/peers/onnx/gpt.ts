/**
 * One guided decoding step of GPT-B as an ONNX graph, with a cache of fixed size that the caller binds
 * as input and as output, so that it is written in place.
 *
 * Two ways to say the same: `standard` uses ONNX's own operators, which onnxruntime fuses where it
 * can; `fused` uses the operators that onnxruntime's own model builder emits (GroupQueryAttention
 * with rotary embedding, SkipSimplifiedLayerNormalization).
 */
import type { GptConfig } from '../../../src/models/gpt-config.ts';
import { ropeTable } from '../../../src/models/rope-table.ts';
import type { Safetensors } from '../../../src/weights/safetensors.ts';
import { CFG_SCALE, floatsOf } from '../workload.ts';
import { MICROSOFT, OnnxGraph } from './builder.ts';

export const WAYS = ['standard', 'fused'] as const;
export type Way = (typeof WAYS)[number];

/** Values that the attention of a layer needs. */
interface Context {
  readonly g: OnnxGraph;
  readonly config: GptConfig;
  readonly rows: number;
  readonly positions: number;
  /** (cos, sin) of every position: each f32 [positions, headDim / 2]. */
  readonly cos: string;
  readonly sin: string;
}

type Attend = (layer: number, qkv: string) => string;

/**
 * Inputs: `ids` int32 [rows], rows of the joined table of classes and tokens; what `standardAttention`
 * or `fusedAttention` adds; `past.N.k` and `past.N.v`. Outputs: `logits` f32 [rows / 2, vocabSize] with
 * guidance applied; `present.N.k` and `present.N.v`.
 */
export async function gptGraph(
  config: GptConfig,
  file: Safetensors,
  rows: number,
  way: Way,
): Promise<Uint8Array> {
  const { hiddenDim, vocabSize, nLayer, headDim, clsTokenNum, blockSize, normEps } = config;
  const g = new OnnxGraph(`gpt, ${way}`);
  const positions = clsTokenNum + blockSize;
  const table = ropeTable(config);
  const part = (of: 0 | 1): Float32Array<ArrayBuffer> => table.filter((_, i) => i % 2 === of);
  const c: Context = {
    ...{ g, config, rows, positions },
    cos: g.floats('cos', [positions, headDim / 2], part(0)),
    sin: g.floats('sin', [positions, headDim / 2], part(1)),
  };
  const vector = async (name: string): Promise<string> => {
    const { shape, data } = await floatsOf(file, name);
    return g.floats(name, shape, data);
  };
  const product = async (x: string, ...names: readonly string[]): Promise<string> => {
    const weight = await transposed(file, names);
    return g.node('MatMul', [x, g.floats(names.join('+'), weight.shape, weight.data)]);
  };
  const attend = way === 'fused' ? fusedAttention(c) : standardAttention(c);
  const norms = way === 'fused' ? fusedNorm(g, normEps) : standardNorm(g, normEps);

  let x = await embedding(c, file);
  let y = norms.first(x, await vector('layers.0.attention_norm.weight'));
  for (let layer = 0; layer < nLayer; layer++) {
    const at = (name: string): string => `layers.${layer}.${name}.weight`;
    const heads = attend(layer, await product(y, at('attention.wqkv')));
    const mixed = await product(heads, at('attention.wo'));
    [x, y] = norms.add(x, mixed, await vector(at('ffn_norm')));
    const both = await product(y, at('feed_forward.w1'), at('feed_forward.w3'));
    const [gate, up] = [`gate.${layer}`, `up.${layer}`] as const;
    g.nodes('Split', [both, g.integers(hiddenDim, hiddenDim)], [gate, up], {
      attributes: { axis: 1 },
    });
    const silu = g.node('Mul', [gate, g.node('Sigmoid', [gate])]);
    const down = await product(g.node('Mul', [silu, up]), at('feed_forward.w2'));
    const next = layer + 1 < nLayer ? `layers.${layer + 1}.attention_norm.weight` : 'norm.weight';
    [x, y] = norms.add(x, down, await vector(next));
  }
  const logits = await product(y, 'output.weight');
  const half = rows / 2;
  g.nodes('Split', [logits, g.integers(half, half)], ['cond', 'uncond'], {
    attributes: { axis: 0 },
  });
  const scaled = g.node('Mul', [g.node('Sub', ['cond', 'uncond']), g.scalar(CFG_SCALE)]);
  g.node('Add', ['uncond', scaled], {}, 'logits');
  g.output('logits', 'float32', [half, vocabSize]);
  return g.encode();
}

/** [rows, dim] from one table of classes, then tokens. */
async function embedding({ g, config, rows }: Context, file: Safetensors): Promise<string> {
  const labels = await floatsOf(file, 'cls_embedding.embedding_table.weight');
  const tokens = await floatsOf(file, 'tok_embeddings.weight');
  const data = new Float32Array(labels.data.length + tokens.data.length);
  data.set(labels.data);
  data.set(tokens.data, labels.data.length);
  const table = g.floats('embeddings', [data.length / config.dim, config.dim], data);
  return g.node('Gather', [table, g.input('ids', 'int32', [rows])], { attributes: { axis: 0 } });
}

/** Matrices [out, in] side by side as one [in, sum of out]. */
async function transposed(file: Safetensors, names: readonly string[]) {
  const parts = await Promise.all(names.map((name) => floatsOf(file, name)));
  const inDim = parts[0]?.shape[1] ?? 0;
  const outDim = parts.reduce((n, { shape }) => n + (shape[0] ?? 0), 0);
  const data = new Float32Array(inDim * outDim);
  let column = 0;
  for (const part of parts) {
    const rows = part.shape[0] ?? 0;
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < inDim; i++) {
        data[i * outDim + column + row] = part.data[row * inDim + i] ?? 0;
      }
    }
    column += rows;
  }
  return { shape: [inDim, outDim], data };
}

/** RMSNorm, and a sum that is kept beside its RMSNorm. */
interface Norms {
  first(x: string, gain: string): string;
  add(x: string, y: string, gain: string): readonly [sum: string, normed: string];
}

function standardNorm(g: OnnxGraph, eps: number): Norms {
  const first = (x: string, gain: string): string => {
    const squares = g.node('Pow', [x, g.scalar(2)]);
    const mean = g.node('ReduceMean', [squares], { attributes: { axes: [-1], keepdims: 1 } });
    const root = g.node('Sqrt', [g.node('Add', [mean, g.scalar(eps)])]);
    return g.node('Mul', [g.node('Div', [x, root]), gain]);
  };
  return {
    first,
    add(x, y, gain) {
      const sum = g.node('Add', [x, y]);
      return [sum, first(sum, gain)];
    },
  };
}

function fusedNorm(g: OnnxGraph, epsilon: number): Norms {
  let made = 0;
  return {
    first: (x, gain) =>
      g.node('SimplifiedLayerNormalization', [x, gain], { attributes: { axis: -1, epsilon } }),
    add(x, y, gain) {
      const [normed, sum] = [`normed.${made}`, `sum.${made++}`] as const;
      g.nodes('SkipSimplifiedLayerNormalization', [x, y, gain], [normed, '', '', sum], {
        domain: MICROSOFT,
        attributes: { epsilon },
      });
      return [sum, normed];
    },
  };
}

/** Declares the cache of a layer: names of `past.N.k`, `past.N.v`, `present.N.k` and `present.N.v`. */
function cacheNames({ g, config, rows, positions }: Context, layer: number) {
  const dims = [rows, config.nHead, positions, config.headDim];
  const name = (when: string, part: string): string => `${when}.${layer}.${part}`;
  const past = ['k', 'v'].map((part) => g.input(name('past', part), 'float32', dims));
  const present = ['k', 'v'].map((part) => name('present', part));
  for (const output of present) g.output(output, 'float32', dims);
  return [...past, ...present] as [string, string, string, string];
}

/** Adds the inputs `position` int32 [1] and `places` int64 [rows, nHead, 3], where k and v go. */
function standardAttention(c: Context): Attend {
  const { g, config, rows, positions } = c;
  const { nHead, headDim, dim } = config;
  const position = g.input('position', 'int32', [1]);
  const places = g.input('places', 'int64', [rows, nHead, 3]);
  const mask = new Float32Array(positions ** 2).map((_, i) =>
    i % positions <= Math.floor(i / positions) ? 0 : -1e9,
  );
  const at = (table: string): string =>
    g.node('Gather', [table, position], { attributes: { axis: 0 } });
  const hidden = at(g.floats('mask', [positions, positions], mask));
  const cos = g.reshape(at(c.cos), headDim / 2, 1);
  const sin = g.reshape(at(c.sin), headDim / 2, 1);
  const rotate = (x: string, layer: number): string => {
    const pairs = g.reshape(x, rows, 2 * nHead, headDim / 2, 2);
    const [a, b] = [`even.${layer}`, `odd.${layer}`] as const;
    g.nodes('Split', [pairs, g.integers(1, 1)], [a, b], { attributes: { axis: 3 } });
    const times = (p: string, q: string): string => g.node('Mul', [p, q]);
    const turned = [
      g.node('Sub', [times(a, cos), times(b, sin)]),
      g.node('Add', [times(a, sin), times(b, cos)]),
    ];
    const joined = g.node('Concat', turned, { attributes: { axis: 3 } });
    return g.reshape(joined, rows, 2 * nHead, headDim);
  };
  return (layer, qkv) => {
    const [pastK, pastV, presentK, presentV] = cacheNames(c, layer);
    const [qk, v, q, k] = ['qk', 'v', 'q', 'k'].map((n) => `${n}.${layer}`) as [
      string,
      string,
      string,
      string,
    ];
    g.nodes('Split', [qkv, g.integers(2 * dim, dim)], [qk, v], { attributes: { axis: 1 } });
    g.nodes('Split', [rotate(qk, layer), g.integers(nHead, nHead)], [q, k], {
      attributes: { axis: 1 },
    });
    g.node('ScatterND', [pastK, places, k], {}, presentK);
    g.node('ScatterND', [pastV, places, g.reshape(v, rows, nHead, headDim)], {}, presentV);
    // k times q as a column: the cache needs no transposition.
    const column = g.node('MatMul', [presentK, g.reshape(q, rows, nHead, headDim, 1)]);
    const scores = g.reshape(column, rows, nHead, 1, positions);
    const scaled = g.node('Mul', [scores, g.scalar(headDim ** -0.5)]);
    const probs = g.node('Softmax', [g.node('Add', [scaled, hidden])], {
      attributes: { axis: -1 },
    });
    return g.reshape(g.node('MatMul', [probs, presentV]), rows, dim);
  };
}

/** Adds the inputs `last` int32 [rows], the position of each row, and `total` int32 [1], positions so far. */
function fusedAttention(c: Context): Attend {
  const { g, config, rows } = c;
  const { nHead, nKvHead, headDim, dim } = config;
  const last = g.input('last', 'int32', [rows]);
  const total = g.input('total', 'int32', [1]);
  return (layer, qkv) => {
    const [pastK, pastV, presentK, presentV] = cacheNames(c, layer);
    const packed = g.reshape(qkv, rows, 1, (nHead + 2 * nKvHead) * headDim);
    const out = `heads.${layer}`;
    g.nodes(
      'GroupQueryAttention',
      [packed, '', '', pastK, pastV, last, total, c.cos, c.sin],
      [out, presentK, presentV],
      {
        domain: MICROSOFT,
        attributes: {
          num_heads: nHead,
          kv_num_heads: nKvHead,
          do_rotary: 1,
          rotary_interleaved: 1,
        },
      },
    );
    return g.reshape(out, rows, dim);
  };
}
