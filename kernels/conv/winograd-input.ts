import { byteLength } from '../cost.ts';
import { type Binding, ceilDiv, declareSized, grid, type Kernel, range } from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { MAP_RULES } from '../lib/map-rules.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import {
  inputLine,
  ofSquare,
  productPlace,
  share,
  squareLines,
  type TilePart,
  tileGrid,
  WINOGRAD_PRODUCTS,
  WINOGRAD_SIDE,
  WINOGRAD_TILE,
} from './winograd.ts';

export interface WinogradInputParams {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Double the input by nearest neighbour first. Default false. */
  readonly upsample?: boolean | undefined;
  /** Default all tiles. */
  readonly part?: TilePart | undefined;
}

export type WinogradInputBindings = {
  readonly x: Binding<'in'>;
  readonly out: Binding<'out'>;
};

const SIZE = 64;

/**
 * Inputs for Winograd's F(4x4, 3x3): out[6 i + j, c, t] = (B^T d B)[i, j], d the 6x6 values of channel
 * c around the 4x4 outputs of tile t, zero outside the image.
 *
 * Shapes: x [images, channels, height, width], out [36, channels, tiles of the part].
 * Source: conv/winograd.ts.
 */
export function winogradInput(params: WinogradInputParams): Kernel<WinogradInputBindings> {
  const identity = assertParams('winograd_input', params, {
    ...MAP_RULES,
    upsample: rule.optional(rule.flag),
    part: rule.optional(rule.part),
  });
  const { images, channels, height, width, upsample = false } = params;
  const [rows, columns] = upsample ? [2 * height, 2 * width] : [height, width];
  const { tilesX, tilesY, part } = tileGrid('winograd_input', images, rows, columns, params.part);
  const shape = [images, channels, height, width];
  const bindings: WinogradInputBindings = {
    x: { role: 'in', dtype: 'f32', shape },
    out: { role: 'out', dtype: 'f32', shape: [WINOGRAD_PRODUCTS, channels, part.count] },
  };
  assertIndexable('winograd_input', bindings);
  const units = channels * part.count;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  // A tile begins at an even place less one: doubled, its six values are four neighbours of x.
  const sides = range(upsample ? 4 : WINOGRAD_SIDE);
  const source = (i: number): number => (upsample ? (i + 1) >> 1 : i);
  const step = upsample ? WINOGRAD_TILE / 2 : WINOGRAD_TILE;
  const sizes = {
    ...{ channels, height, width, tilesX, tilesY, first: part.first, count: part.count },
    ...{ units, across: gx },
  };
  const code = wgsl`
${declareSized(bindings, sizes, {
  x: 'images, channels, height, width',
  out: `${WINOGRAD_PRODUCTS}, channels, count`,
})}
${inputLine.code}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = sizes;
  let unit = (group.y * s.across + group.x) * ${SIZE}u + lane;
  if (unit >= s.units) { return; }
  let tile = s.first + unit % s.count;
  let c = unit / s.count;
  let first_x = i32(tile % s.tilesX) * ${step} - 1;
  let first_y = i32((tile / s.tilesX) % s.tilesY) * ${step} - 1;
  let image = tile / (s.tilesX * s.tilesY);
  let plane = (image * s.channels + c) * s.height * s.width;
  let height = i32(s.height);
  let width = i32(s.width);
  ${sides
    .flatMap((i) => [
      `let y${i} = first_y + ${i};`,
      `let x${i} = first_x + ${i};`,
      `let line${i} = plane + u32(clamp(y${i}, 0, height - 1)) * s.width;`,
      `let at${i} = u32(clamp(x${i}, 0, width - 1));`,
      `let row_inside${i} = y${i} >= 0 && y${i} < height;`,
      `let column_inside${i} = x${i} >= 0 && x${i} < width;`,
    ])
    .join('\n  ')}
  ${sides
    .flatMap((r) =>
      sides.map(
        (q) =>
          `let d${r}_${q} = select(0.0, x[line${r} + at${q}], row_inside${r} && column_inside${q});`,
      ),
    )
    .join('\n  ')}
  ${squareLines(inputLine, (r, q) => `d${source(r)}_${source(q)}`)}
  ${range(WINOGRAD_PRODUCTS)
    .map((i) => {
      const value = ofSquare(inputLine, Math.floor(i / WINOGRAD_SIDE), i % WINOGRAD_SIDE);
      return `out[${productPlace(i)}] = ${value};`;
    })
    .join('\n  ')}
}`;
  return {
    ...identity,
    label: `winograd_input${upsample ? ' upsample' : ''} f32[${shape}] ${part.count} tiles from ${part.first}`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    sizes,
    // A part reads its share of x.
    cost: { bytes: share(part, images * tilesX * tilesY, bindings.x) + byteLength(bindings.out) },
  };
}
