import type { Kernel } from '../kernel.ts';
import { geluLib } from '../lib/gelu.ts';
import { type GatedMulBindings, type GatedMulParams, gatedMul } from './gated-mul.ts';

/**
 * The elementwise middle of a gated feed-forward layer: out = gelu(gate) * up, in the tanh form.
 *
 * Shapes: gate, up and out [rows, hiddenDim] f32.
 * Source: Shazeer 2020 (arXiv:2002.05202), GEGLU; T5 v1.1, DenseGatedActDense.
 */
export const geluMul = (params: GatedMulParams): Kernel<GatedMulBindings> =>
  gatedMul('gelu_mul', 'gelu', geluLib, params);
