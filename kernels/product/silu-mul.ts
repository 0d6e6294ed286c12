import type { Kernel } from '../kernel.ts';
import { siluLib } from '../lib/silu.ts';
import { type GatedMulBindings, type GatedMulParams, gatedMul } from './gated-mul.ts';

/**
 * The elementwise middle of a gated feed-forward layer: out = silu(gate) * up.
 *
 * Shapes: gate, up and out [rows, hiddenDim] f32.
 * Source: LlamaGen autoregressive/models/gpt.py, FeedForward.
 */
export const siluMul = (params: GatedMulParams): Kernel<GatedMulBindings> =>
  gatedMul('silu_mul', 'silu', siluLib, params);
