/** Slices of both operands of a tiled product in workgroup memory, one after another. */
import { ceilDiv, range } from '../kernel.ts';

export interface TiledParams {
  /** Name of the kernel, for errors. */
  readonly name: string;
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Neighbouring elements of an operand: along its lines or along k. Decides who loads what. */
  readonly left: { readonly k: number };
  readonly right: { readonly k: number };
  /** Parts of k, each summed on its own and stored as a batch of its own. Default 1. */
  readonly split?: number;
  /**
   * Whether operands are rows along k, of which four values are read at once, and outputs rows along n, of
   * which four are stored at once. A sum then grows by dot products of four. Default false.
   */
  readonly fours?: boolean;
}

export interface SliceSizes {
  readonly tileM: number;
  readonly tileN: number;
  /** Values of k in a slice. */
  readonly slice: number;
  /** Invocations of a workgroup. */
  readonly size: number;
}

/**
 * Text that stores `value` in the array of a side: a vec4f of the lines from 4 * quad on at `depth`; with
 * `fours`, of the values at `depth`, the place `i` of the array counting them line by line.
 */
export type Put = (side: 'left' | 'right', lines: number) => string;

/**
 * The loop over slices, for a `main` with `group` and `lane`: declares `batch`, fills `left` and `right`
 * and goes on with `multiply`, between barriers.
 */
export function overSlices(
  params: TiledParams,
  sizes: SliceSizes,
  put: Put,
  multiply: string,
): string {
  const { batch, m, n, left, right, split = 1, fours = false } = params;
  const { tileM, tileN } = sizes;
  const [k, slice] = depths(params, sizes);
  // Whole slices, so that the parts of k differ by at most one.
  const perPart = ceilDiv(ceilDiv(k, slice), split);
  const fill = (side: 'left' | 'right', lines: number, all: number, alongK: boolean): string =>
    fours
      ? fillFours(side, { lines, all, k, slice, size: sizes.size }, put)
      : fillLines(side, { lines, all, k, slice, size: sizes.size }, alongK, put);
  return `let batch = group.z % ${batch}u;
  let part = group.z / ${batch}u;
  let begin = part * ${perPart * slice}u;
  for (var s = 0u; s < ${perPart}u; s++) {
    let first = begin + s * ${slice}u;
    ${fill('left', tileM, m, left.k === 1)}
    ${fill('right', tileN, n, right.k === 1)}
    workgroupBarrier();
    ${multiply}
    workgroupBarrier();
  }`;
}

/** Length of k and depth of a slice, in what is read at once. */
export const depths = (
  { k, fours }: Pick<TiledParams, 'k' | 'fours'>,
  { slice }: Pick<SliceSizes, 'slice'>,
): readonly [k: number, slice: number] => (fours ? [ceilDiv(k, 4), slice / 4] : [k, slice]);

interface Side extends Pick<SliceSizes, 'slice' | 'size'> {
  /** Lines of a tile, and of the whole operand. */
  readonly lines: number;
  readonly all: number;
  readonly k: number;
}

/**
 * Who loads what: four lines at one k, neighbouring invocations at neighbouring addresses. What lies
 * outside the product is zero.
 */
function fillLines(
  side: 'left' | 'right',
  { lines, all, k, slice, size }: Side,
  alongK: boolean,
  put: Put,
): string {
  const [depth, quad] = alongK
    ? [`i % ${slice}u`, `i / ${slice}u`]
    : [`i / ${lines / 4}u`, `i % ${lines / 4}u`];
  const last = `${all - 1}u`;
  const values = range(4).map(
    (c) =>
      `select(0.0, ${side}_at(batch, at, min(line + ${c}u, ${last})), k < ${k}u && line + ${c}u <= ${last})`,
  );
  return `for (var i = lane; i < ${(slice * lines) / 4}u; i += ${size}u) {
      let depth = ${depth};
      let quad = ${quad};
      let k = first + depth;
      let at = min(k, ${k - 1}u);
      let line = group.${side === 'left' ? 'y' : 'x'} * ${lines}u + quad * 4u;
      let value = vec4f(
        ${values.join(',\n        ')});
      ${put(side, lines)}
    }`;
}

/** The same, of fours of values: neighbouring invocations load neighbours along k. */
function fillFours(side: 'left' | 'right', { lines, all, k, slice, size }: Side, put: Put): string {
  const last = `${all - 1}u`;
  return `for (var i = lane; i < ${slice * lines}u; i += ${size}u) {
      let depth = i % ${slice}u;
      let k = first + depth;
      let line = group.${side === 'left' ? 'y' : 'x'} * ${lines}u + i / ${slice}u;
      let found = ${side}_at(batch, min(k, ${k - 1}u), min(line, ${last}));
      let value = select(vec4f(), found, k < ${k}u && line <= ${last});
      ${put(side, lines)}
    }`;
}
