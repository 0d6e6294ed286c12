/** The projection of captions: features of a text encoder to condition tokens. */

import { placeRows } from '../../kernels/embed/place-rows.ts';
import type { TableDType } from '../../kernels/kernel.ts';
import { gelu } from '../../kernels/product/gelu.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { encoderProduct } from './encoder-product.ts';
import { type Ops, run } from './operation.ts';
import type { Matrix } from './weights.ts';

export interface CaptionParams {
  readonly rows: number;
  /** Features of a token. */
  readonly captionDim: number;
  readonly dim: number;
  /** Storage of both matrices. */
  readonly dtype: TableDType;
}

export interface CaptionWeights {
  /** [dim, captionDim]. */
  readonly fc1: Matrix;
  /** [dim, dim]. */
  readonly fc2: Matrix;
}

/**
 * Two layers with GELU between, without bias; x f32 [rows, captionDim] to f32 [rows, dim]. A row of zeros
 * gives zeros.
 * Source: LlamaGen autoregressive/models/gpt.py, CaptionEmbedder.cap_proj.
 */
export function projectCaption(
  on: Ops,
  { rows, captionDim, dim, dtype }: CaptionParams,
  x: Tensor,
  { fc1, fc2 }: CaptionWeights,
): Tensor {
  const product = { rows, outDim: dim, dtype, variant: on.variant };
  const inner = run(on, encoderProduct, { ...product, inDim: captionDim }, { x, weight: fc1 });
  const active = on.g.call(gelu({ rows, dim }), { x: inner }).out;
  return run(on, encoderProduct, { ...product, inDim: dim }, { x: active, weight: fc2 });
}

/** Writes rows [rows, dim] to their places in a table [lines, dim]. */
export function place(g: Graph, x: Tensor, places: Tensor, table: Tensor): void {
  const [rows = 0, dim = 0] = x.shape;
  const [lines = 0] = table.shape;
  g.call(placeRows({ rows, lines, dim }), { x, places, table });
}
