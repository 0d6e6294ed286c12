/** The input of a decoder, from a token table in as many parts as bindings allow. */
import { type EmbedParams, embed } from '../../kernels/embed/embed.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { callParts, type Matrix } from './weights.ts';

interface EmbedInputs {
  readonly rowTable: Tensor;
  readonly tokens: Tensor;
  readonly labelTable: Tensor;
  readonly tokenTable: Matrix;
}

/** Classes at position 0, the tokens before elsewhere: f32 [rows, dim]. */
export const embedRows = (
  g: Graph,
  params: Omit<EmbedParams, 'held'>,
  { tokenTable, ...inputs }: EmbedInputs,
): Tensor => callParts(g, (held) => embed({ ...params, held }), { tokenTable }, inputs).out;
