/** Slices of both operands of a tiled product in workgroup memory, one after another. */
import { ceilDiv, range } from '../kernel.ts';

export interface TiledParams {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Neighbouring elements of an operand: along its lines or along k. Decides who loads what. */
  readonly left: { readonly k: number };
  readonly right: { readonly k: number };
  /** Parts of k, each summed on its own and stored as a batch of its own. Default 1. */
  readonly split?: number;
}

export interface SliceSizes {
  readonly tileM: number;
  readonly tileN: number;
  readonly slice: number;
  /** Invocations of a workgroup. */
  readonly size: number;
}

/** Text that stores `value`, a vec4f of the lines from 4 * quad on at `depth`, in the array of a side. */
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
  const { batch, m, n, k, left, right, split = 1 } = params;
  const { tileM, tileN, slice } = sizes;
  // Whole slices, so that the parts of k differ by at most one.
  const perPart = ceilDiv(ceilDiv(k, slice), split);
  return `let batch = group.z % ${batch}u;
  let part = group.z / ${batch}u;
  let begin = part * ${perPart * slice}u;
  for (var s = 0u; s < ${perPart}u; s++) {
    let first = begin + s * ${slice}u;
    ${fill('left', { lines: tileM, all: m, k, alongK: left.k === 1 }, sizes, put)}
    ${fill('right', { lines: tileN, all: n, k, alongK: right.k === 1 }, sizes, put)}
    workgroupBarrier();
    ${multiply}
    workgroupBarrier();
  }`;
}

interface Side {
  readonly lines: number;
  /** Lines of the whole operand. */
  readonly all: number;
  readonly k: number;
  readonly alongK: boolean;
}

/**
 * Who loads what: four lines at one k, neighbouring invocations at neighbouring addresses. What lies
 * outside the product is zero.
 */
function fill(
  side: 'left' | 'right',
  { lines, all, k, alongK }: Side,
  { slice, size }: SliceSizes,
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
