/** A T5 encoder of any size with random weights, as files that nobody has to store. */
import { Graph } from '../../src/graph/graph.ts';
import { type ModelFiles, memorySource, WeightsError } from '../../src/index.ts';
import { T5_TABLES, t5Layers } from '../../src/models/t5.ts';
import type { T5Config } from '../../src/models/t5-config.ts';
import type { ByteSource } from '../../src/weights/source.ts';

interface Stored {
  readonly name: string;
  readonly shape: readonly number[];
  /** Largest distance of a value from the centre, and the centre. */
  readonly spread: number;
  readonly centre: number;
}

/** Values of one tensor repeat after so many: an odd number, so that no two rows are alike. */
const PERIOD = 2 ** 20 - 3;

/** Every tensor of an encoder, with values as large as those of trained ones. */
function storedTensors(config: T5Config): Stored[] {
  const g = new Graph();
  const variant = { reduce: 'serial', f16: false } as const;
  const pass = { rows: 1, first: 0, count: config.nLayer };
  t5Layers(g, config, pass, { variant, dtype: 'f32', kvDtype: 'f32' });
  const weights = g.residents.filter(({ life }) => life === 'weight');
  const table = { name: T5_TABLES[0], shape: [config.vocabSize, config.dim] };
  return [...weights, table].map(({ name, shape }) => {
    const [out = 1, inDim] = shape;
    if (inDim === undefined) return { name, shape, spread: 0.25, centre: 1 };
    // No scale makes scores smaller: queries are short from the start.
    const size = name === table.name ? 1 : /relative/.test(name) ? out : 1 / inDim;
    const short = /\.q\./.test(name) ? 1 / Math.sqrt(config.headDim) : 1;
    return { name, shape, spread: short * Math.sqrt(3 * size), centre: 0 };
  });
}

/** bf16 values around a centre, without a multiply for each: a xorshift, its upper bits as a float. */
function pattern({ spread, centre }: Stored, seed: number): Uint8Array<ArrayBuffer> {
  const values = Float32Array.from({ length: PERIOD }, () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return centre + (seed / 2 ** 31) * spread;
  });
  const bits = new Uint32Array(values.buffer);
  return new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer);
}

/** A model folder with `t5.json` and `t5.safetensors` of bf16. */
export function randomEncoderFiles(config: T5Config): ModelFiles {
  const tensors = storedTensors(config);
  const starts: number[] = [];
  const header: Record<string, object> = {};
  let end = 0;
  for (const { name, shape } of tensors) {
    starts.push(end);
    const bytes = 2 * shape.reduce((n, d) => n * d, 1);
    header[name] = { dtype: 'BF16', shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const head = new Uint8Array(8 + text.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(text.length), true);
  head.set(text, 8);
  const patterns = new Map<string, Uint8Array<ArrayBuffer>>();
  const readInto = async (offset: number, target: Uint8Array<ArrayBuffer>): Promise<void> => {
    if (offset < head.length) return target.set(head.subarray(offset, offset + target.length));
    const index = starts.findLastIndex((start) => start <= offset - head.length);
    const tensor = tensors[index];
    if (!tensor) throw new RangeError(`nothing is stored at ${offset}`);
    // Those of one size share their values, each from another place on.
    const key = `${tensor.spread} ${tensor.centre}`;
    const values = patterns.get(key) ?? pattern(tensor, 1 + patterns.size);
    patterns.set(key, values);
    let at = (offset - head.length - (starts[index] ?? 0) + 2 * 7919 * index) % values.length;
    for (let done = 0; done < target.length; at = 0) {
      const piece = values.subarray(at, at + target.length - done);
      target.set(piece, done);
      done += piece.length;
    }
  };
  const weights: ByteSource = {
    ...{ name: 't5.safetensors', byteLength: head.length + end, readInto },
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      await readInto(offset, bytes);
      return bytes;
    },
  };
  const json = new TextEncoder().encode(JSON.stringify(jsonOf(config)));
  return {
    name: 'random T5',
    async open(file) {
      if (file === 't5.json') return memorySource(file, json);
      if (file === weights.name) return weights;
      throw new WeightsError(`random T5: has no file "${file}"`);
    },
  };
}

/** As a `config.json` of transformers says it. */
const jsonOf = (config: T5Config): object => ({
  d_model: config.dim,
  d_kv: config.headDim,
  num_heads: config.nHead,
  num_layers: config.nLayer,
  d_ff: config.hiddenDim,
  vocab_size: config.vocabSize,
  relative_attention_num_buckets: config.buckets,
  relative_attention_max_distance: config.maxDistance,
  layer_norm_epsilon: config.normEps,
  feed_forward_proj: 'gated-gelu',
});
