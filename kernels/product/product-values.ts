/** What all products of few rows read: the input, weights of any dtype, the gain of a norm. */
import type { Feature } from '../kernel.ts';
import { rowReader } from '../lib/accessors.ts';
import { normScaleLib } from '../lib/norm-scale.ts';
import { halvesOf, type Width } from '../lib/weights.ts';

/** A product, however it is made. */
export interface Product {
  readonly rows: number;
  readonly inDim: number;
  /** Columns of this kernel, and the first of them in quads of the whole. */
  readonly outDim: number;
  readonly firstQuad: number;
  /** Parts of inDim, each of a dispatch's workgroups of its own. */
  readonly split: number;
  readonly weights: readonly string[];
  /** RMSNorm of the input with this eps. */
  readonly normEps: number | undefined;
  /** Values of inDim that are read at once. */
  readonly width: Width;
}

/** How a product is made: the text behind its readers, and the grid. */
export interface Made {
  /** The directives that the text begins with. */
  readonly enable: string;
  /** Functions and workgroup memory. */
  readonly lib: string;
  /** Parameters of `main` besides `group` and `lane`. */
  readonly builtins: string;
  /** Statements of `main` behind those that declare `first`, a row, and `columns`, which of a tile's. */
  readonly main: string;
  /** Invocations of a workgroup, and rows and columns that it makes. */
  readonly size: number;
  readonly rowTile: number;
  readonly columnTile: number;
  readonly features: readonly Feature[];
}

/** Values that are read at once, by the name of the tensor. */
export const values = (width: Width, name: string, row: string, i: string): string =>
  width === 4
    ? `${name}_at(${row}, ${i})`
    : `Values(${name}_at(${row}, 2u * ${i}), ${name}_at(${row}, 2u * ${i} + 1u))`;

/** `Values` is vec4f or, of eight, mat2x4f. */
export const valuesLib = ({ inDim, width, normEps }: Product): string => `
alias Values = ${width === 4 ? 'vec4f' : 'mat2x4f'};
${normEps === undefined ? '' : normLib(inDim, width, normEps)}`;

const normLib = (inDim: number, width: Width, eps: number): string => `
const EPS = f32(${eps});
${normScaleLib}
${rowReader({ name: 'gain', dtype: 'f32', length: inDim })}
fn with_gain(v: Values, gain: Values) -> Values {
  return Values(${halvesOf(width)
    .map((h) => `v${h} * gain${h}`)
    .join(', ')});
}
fn scale_of(square: f32) -> f32 {
  return scale_or_nan(inverseSqrt(square / f32(${inDim}) + EPS));
}`;
