import { byteLength } from '../cost.ts';
import {
  type Binding,
  type Bindings,
  ceilDiv,
  declareSized,
  grid,
  type Kernel,
  range,
} from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { MAP_RULES } from '../lib/map-rules.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import {
  ofSquare,
  outputLine,
  productPlace,
  share,
  squareLines,
  type TilePart,
  tileGrid,
  WINOGRAD_PRODUCTS,
  WINOGRAD_SIDE,
  WINOGRAD_TILE,
} from './winograd.ts';

export interface WinogradOutputParams {
  readonly images: number;
  readonly channels: number;
  /** Rows of the output. */
  readonly height: number;
  /** Columns of the output. */
  readonly width: number;
  /** Add the binding `residual`, shaped like the output. Default false. */
  readonly residual?: boolean | undefined;
  /** Default all tiles. Parts after the first add to `out`. */
  readonly part?: TilePart | undefined;
}

export type WinogradOutputBindings = {
  readonly x: Binding<'in'>;
  readonly bias: Binding<'in'>;
  readonly out: Binding<'out'>;
};

const SIZE = 64;

/**
 * Outputs of Winograd's F(4x4, 3x3): the 4x4 pixels of tile t in channel o are A^T m A + bias[o]
 * (+ residual), m[i, j] = x[6 i + j, o, t].
 *
 * Shapes: x [36, channels, tiles of the part] of `winogradProduct`, bias [channels], residual and out
 * [images, channels, height, width]. The first part has the role `out`, the others `inout`.
 * Source: conv/winograd.ts.
 */
export function winogradOutput(params: WinogradOutputParams): Kernel<WinogradOutputBindings> {
  const identity = assertParams('winograd_output', params, {
    ...MAP_RULES,
    residual: rule.optional(rule.flag),
    part: rule.optional(rule.part),
  });
  const { images, channels, height, width, residual = false } = params;
  const { tilesX, tilesY, part } = tileGrid('winograd_output', images, height, width, params.part);
  const shape = [images, channels, height, width];
  const bindings: Bindings = {
    x: { role: 'in', dtype: 'f32', shape: [WINOGRAD_PRODUCTS, channels, part.count] },
    bias: { role: 'in', dtype: 'f32', shape: [channels] },
    ...(residual && { residual: { role: 'in', dtype: 'f32', shape } }),
    out: { role: part.first > 0 ? 'inout' : 'out', dtype: 'f32', shape },
  };
  assertIndexable('winograd_output', bindings);
  const tiles = images * tilesX * tilesY;
  const isMap = (name: string): boolean => name === 'residual' || name === 'out';
  const units = channels * part.count;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  const pixels = range(WINOGRAD_TILE ** 2).map((i) => [Math.floor(i / 4), i % 4] as const);
  const sizes = {
    ...{ channels, height, width, tilesX, tilesY, first: part.first, count: part.count },
    ...{ units, across: gx },
  };
  const code = wgsl`
${declareSized(bindings, sizes, {
  x: `${WINOGRAD_PRODUCTS}, channels, count`,
  bias: 'channels',
  residual: 'images, channels, height, width',
  out: 'images, channels, height, width',
})}
${outputLine.code}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = sizes;
  let unit = (group.y * s.across + group.x) * ${SIZE}u + lane;
  if (unit >= s.units) { return; }
  let tile = s.first + unit % s.count;
  let channel = unit / s.count;
  let first_x = (tile % s.tilesX) * ${WINOGRAD_TILE}u;
  let first_y = ((tile / s.tilesX) % s.tilesY) * ${WINOGRAD_TILE}u;
  let image = tile / (s.tilesX * s.tilesY);
  ${range(WINOGRAD_PRODUCTS)
    .map(
      (i) => `let m${Math.floor(i / WINOGRAD_SIDE)}_${i % WINOGRAD_SIDE} = x[${productPlace(i)}];`,
    )
    .join('\n  ')}
  ${squareLines(outputLine, (r, c) => `m${r}_${c}`)}
  let line0 = ((image * s.channels + channel) * s.height + first_y) * s.width + first_x;
  ${range(WINOGRAD_TILE - 1)
    .map((r) => `let line${r + 1} = line${r} + s.width;`)
    .join(' ')}
  let b = bias[channel];
  ${pixels
    .map(([r, c]) => {
      const tests = [
        ...(height % WINOGRAD_TILE > 0 && r > 0 ? [`first_y + ${r}u < s.height`] : []),
        ...(width % WINOGRAD_TILE > 0 && c > 0 ? [`first_x + ${c}u < s.width`] : []),
      ];
      const to = `line${r} + ${c}u`;
      const put = `out[${to}] = ${ofSquare(outputLine, r, c)} + b${residual ? ` + residual[${to}]` : ''};`;
      return tests.length ? `if (${tests.join(' && ')}) { ${put} }` : put;
    })
    .join('\n  ')}
}`;
  return {
    ...identity,
    label: `winograd_output${residual ? ' residual' : ''} f32[${shape}] ${part.count} tiles from ${part.first}`,
    code,
    bindings: bindings as WinogradOutputBindings,
    workgroups: [gx, gy, 1],
    sizes,
    // A part reads and writes its share of the maps.
    cost: {
      bytes: Object.entries(bindings).reduce(
        (sum, [name, b]) => sum + (isMap(name) ? share(part, tiles, b) : byteLength(b)),
        0,
      ),
    },
  };
}
