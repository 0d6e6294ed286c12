/** Random inputs of a kernel, by what its bindings are. */
import type { Binding, Kernel, MatrixDType } from '../../kernels/kernel.ts';
import type { Memory } from '../../src/gpu/memory.ts';
import { Filler, type Spread } from '../../src/gpu/random.ts';

type Stored = Pick<Binding, 'dtype' | 'shape'>;

const rowLength = ({ shape }: Stored): number => shape.slice(1).reduce((n, d) => n * d, 1);

/** Standard deviation of quants of the whole range: odd bytes, and nibbles from -8 to 7. */
const QUANT_STD = { int8: 73.9, int4: 4.61 } as const;

/** Floats, or scales of quants, that make sums over `inDim` values about as large as the values. */
export function scaleSpread(inDim: number, dtype: MatrixDType): Spread {
  const std = 1 / Math.sqrt(inDim);
  if (dtype !== 'int8' && dtype !== 'int4') return { centre: 0, spread: std * Math.sqrt(3) };
  const scale = std / QUANT_STD[dtype];
  return { centre: scale, spread: scale / 10 };
}

/**
 * What a weight is filled with, by name, dtype and shape.
 * @param quants The weight that these are the scales of.
 */
export function weightSpread(name: string, { dtype, shape }: Stored, quants?: Stored): Spread {
  if (quants) return scaleSpread(rowLength(quants), quants.dtype as MatrixDType);
  if (name.endsWith('bias')) return { centre: 0, spread: 0.1 };
  if (shape.length === 1) return { centre: 1, spread: 0.1 };
  return { centre: 0, spread: Math.sqrt(3 / rowLength({ dtype, shape })) };
}

/**
 * Fills every float input of a kernel: activations are uniform in -1 .. 1, weights small enough that
 * sums are of the same size.
 * @param own Spreads of some bindings.
 */
export function fillBindings(
  memory: Memory,
  kernel: Kernel,
  buffers: Readonly<Record<string, GPUBuffer>>,
  own: Readonly<Record<string, Spread>> = {},
): void {
  const filler = new Filler(memory);
  for (const [i, [name, binding]] of Object.entries<Binding>(kernel.bindings).entries()) {
    const { role, dtype } = binding;
    const buffer = buffers[name];
    if (role === 'out' || !buffer || dtype === 'u32' || dtype === 'i32') continue;
    const isWeight = /^(weight|w1|w3|gain|bias|codebook)(Scales)?$|Table$/.test(name);
    const quants = kernel.bindings[name.replace(/Scales$/, '')];
    const scaled = quants === binding ? undefined : quants;
    const spread = isWeight ? weightSpread(name, binding, scaled) : { centre: 0, spread: 1 };
    filler.fill({ buffer }, dtype, own[name] ?? spread, i);
  }
  filler.destroy();
}
