/** The graphs whose kernels are tuned: a few layers of a model's decoder, and its image decoder. */
import { packRows } from '../../kernels/lib/row-table.ts';
import { Graph } from '../graph/graph.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import { gptDecoder } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import type { ModelJson } from '../models/model-json.ts';
import type { Precision } from '../models/precision.ts';
import { vqDecoder } from '../models/vq-decoder.ts';
import { vqOptions } from '../models/vq-options.ts';
import type { Called } from '../ops/operation.ts';
import { forcedOf } from '../ops/tiles.ts';

/** Something that a model does, to be measured. */
export interface Workload {
  readonly name: string;
  /** Appends it to a graph, with its own choices of tiles; `called` is given its operations. */
  readonly define: (g: Graph, called: Called[]) => void;
  /** Contents of integer states by name; all others are random. */
  readonly contents: ReadonlyMap<string, Uint32Array<ArrayBuffer>>;
}

/**
 * Bytes of weights beyond which more layers say nothing new: no cache holds so much, and a layer that
 * is in the cache looks faster than it will be.
 */
const ENOUGH_BYTES = 2 ** 28;

/**
 * Rows of the passes that a model is used with, where nobody says otherwise: windows and batches of up to
 * 64 on GPUs; one guided image and eight on software adapters, whose time grows with the rows.
 */
export const rowsToTune = (software: boolean): readonly number[] =>
  software ? [2, 16] : [1, 2, 4, 8, 16, 32, 64];

/**
 * @param rows Numbers of rows of a decoding step, each a workload: 2 is one guided image, 16 eight.
 */
export function workloadsOf(
  { gpt, vq }: Pick<ModelJson, 'gpt' | 'vq'>,
  precision: Precision,
  rows: readonly number[],
): Workload[] {
  const shallow = fewLayers(gpt, precision);
  const own = { ...precision, tiles: forcedOf(precision.tiles) };
  const side = gpt.gridSize;
  return [
    ...rows.map(
      (count): Workload => ({
        name: `${count} rows`,
        define: (g, called) => decoderOf(g, shallow, count, { ...own, called }),
        contents: new Map([['rows', rowsInTheMiddle(gpt, count)]]),
      }),
    ),
    {
      name: `image of ${side}x${side} tokens`,
      define: (g, called) => {
        const shape = { images: 1, height: side, width: side };
        vqDecoder(g, vq, shape, vqOptions({ ...own, called }));
      },
      contents: new Map(),
    },
  ];
}

/** Rows without guidance: what guidance adds has no tiles. */
const decoderOf = (g: Graph, config: GptConfig, rows: number, precision: Precision): void => {
  gptDecoder(g, config, { rows, slots: rows }, precision);
};

/** The decoder with so many of its layers that their weights do not fit into a cache. */
function fewLayers(config: GptConfig, precision: Precision): GptConfig {
  const bytesOf = (nLayer: number): number => {
    const g = new Graph();
    decoderOf(g, { ...config, nLayer }, 1, precision);
    const weights = g.residents.filter(({ life }: Tensor) => life === 'weight');
    return weights.reduce((sum, t) => sum + byteLength(t), 0);
  };
  const layer = bytesOf(2) - bytesOf(1);
  const enough = Math.ceil(ENOUGH_BYTES / Math.max(1, layer));
  return { ...config, nLayer: Math.max(1, Math.min(config.nLayer, enough)) };
}

/** Rows that stand where attention has its mean work. */
const rowsInTheMiddle = (
  { clsTokenNum, blockSize }: GptConfig,
  rows: number,
): Uint32Array<ArrayBuffer> =>
  packRows(
    Array.from({ length: rows }, (_, slot) => {
      return {
        slot,
        position: clsTokenNum - 1 + Math.floor(blockSize / 2),
        sequence: slot,
        condition: 0,
      };
    }),
  );
