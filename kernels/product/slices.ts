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
  readonly split?: number | undefined;
  /**
   * Whether operands are rows along k, of which four values are read at once, and outputs rows along n, of
   * which four are stored at once. A sum then grows by dot products of four. Default false.
   */
  readonly fours?: boolean | undefined;
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
 * `fours`, of four values of a line, the `i`th of the slice line by line.
 */
export type Put = (side: 'left' | 'right', lines: number) => string;

/**
 * The loop over slices, for a `main` with `group` and `lane`: fills `left` and `right` by the functions of
 * `fillLib` and goes on with `multiply`, between barriers.
 */
export function overSlices(params: TiledParams, sizes: SliceSizes, multiply: string): string {
  const { batch, split = 1 } = params;
  const { tileM, tileN } = sizes;
  const [k, slice] = depths(params, sizes);
  // Whole slices, so that the parts of k differ by at most one.
  const perPart = ceilDiv(ceilDiv(k, slice), split);
  const isCut = split > 1;
  const batchAndPart = `let batch = group.z % ${batch}u;
  let part = group.z / ${batch}u;`;
  return `${isCut ? batchAndPart : 'let batch = group.z;'}
  for (var s = 0u; s < ${perPart}u; s++) {
    let first = ${isCut ? `(part * ${perPart}u + s)` : 's'} * ${slice}u;
    fill_left(batch, first, group.y * ${tileM}u, lane);
    fill_right(batch, first, group.x * ${tileN}u, lane);
    workgroupBarrier();
    ${multiply}
    workgroupBarrier();
  }`;
}

/**
 * `fn fill_left(batch, first, first_line, lane)` and `fill_right`: load the slice from k = `first` on of the
 * lines from `first_line` on into the array of a side, with zeros for what lies outside the product.
 */
export function fillLib(params: TiledParams, sizes: SliceSizes, put: Put): string {
  const { m, n, left, right, fours = false } = params;
  const [k, slice] = depths(params, sizes);
  const fill = (side: 'left' | 'right', lines: number, all: number, alongK: boolean): string => {
    const shape = { lines, all, k, slice };
    const count = (slice * lines) / (fours ? 1 : 4);
    const body = fours ? fourLines(side, shape) : singleLines(side, shape, alongK);
    return `fn fill_${side}(batch: u32, first: u32, first_line: u32, lane: u32) {
  for (var i = lane; i < ${count}u; i += ${sizes.size}u) {
    ${body.join('\n    ')}
    ${put(side, lines)}
  }
}`;
  };
  return [
    fill('left', sizes.tileM, m, left.k === 1),
    fill('right', sizes.tileN, n, right.k === 1),
  ].join('\n');
}

/** Length of k and depth of a slice, in what is read at once. */
export const depths = (
  { k, fours }: Pick<TiledParams, 'k' | 'fours'>,
  { slice }: Pick<SliceSizes, 'slice'>,
): readonly [k: number, slice: number] => (fours ? [ceilDiv(k, 4), slice / 4] : [k, slice]);

interface Side {
  /** Lines of a tile, and of the whole operand. */
  readonly lines: number;
  readonly all: number;
  /** Length of the operand and depth of a slice, in what is read at once. */
  readonly k: number;
  readonly slice: number;
}

/** Who loads what: four lines at one k, neighbouring invocations at neighbouring addresses. */
function singleLines(
  side: 'left' | 'right',
  { lines, all, k, slice }: Side,
  alongK: boolean,
): readonly string[] {
  const [depth, quad] = alongK
    ? [`i % ${slice}u`, `i / ${slice}u`]
    : [`i / ${lines / 4}u`, `i % ${lines / 4}u`];
  const last = `${all - 1}u`;
  const values = range(4).map(
    (c) =>
      `select(0.0, ${side}_at(batch, at, min(line + ${c}u, ${last})), k < ${k}u && line + ${c}u <= ${last})`,
  );
  return [
    `let depth = ${depth};`,
    `let quad = ${quad};`,
    'let k = first + depth;',
    `let at = min(k, ${k - 1}u);`,
    'let line = first_line + quad * 4u;',
    `let value = vec4f(${values.join(', ')});`,
  ];
}

/** The same, of four values at once: neighbouring invocations load neighbours along k. */
function fourLines(side: 'left' | 'right', { all, k, slice }: Side): readonly string[] {
  const last = `${all - 1}u`;
  return [
    `let k = first + i % ${slice}u;`,
    `let line = first_line + i / ${slice}u;`,
    `let found = ${side}_at(batch, min(k, ${k - 1}u), min(line, ${last}));`,
    `let value = select(vec4f(), found, k < ${k}u && line <= ${last});`,
  ];
}
