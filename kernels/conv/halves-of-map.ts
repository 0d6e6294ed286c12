import {
  assert,
  type Binding,
  type Bindings,
  ceilDiv,
  declare,
  grid,
  type Kernel,
  range,
} from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { MAP_RULES } from '../lib/map-rules.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import { normedLib } from './conv-shape.ts';

export interface HalvesOfMapParams {
  readonly images: number;
  /** A multiple of 32. */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Put a pixel of zeros around each image, which 3x3 filters meet there. Default false. */
  readonly border?: boolean | undefined;
  /** Double the columns by nearest neighbour first; rows are doubled by filters (`convHalves`). Default false. */
  readonly upsample?: boolean | undefined;
  /** Normalise first, with the binding `affine`; as `norm` of `conv2d`. Default none. */
  readonly norm?: 'plain' | 'swish' | undefined;
}

export type HalvesOfMapBindings = {
  readonly x: Binding<'in'>;
  readonly out: Binding<'out'>;
};

const SIZE = 64;
/** Channels that one invocation makes: the halves of a vec4u. */
const EACH = 8;
/** Pixels that one invocation makes, if it can. */
const WIDE = 4;
/** Neighbouring invocations that share a pixel: what they read and write are whole sectors of 32 bytes. */
const SHARING = 4;

/**
 * A feature map as `convHalves` reads it: halves, the channels of a pixel next to each other. Values beyond
 * 65504 are lost.
 *
 * Shapes: x f32 [images, channels, height, width], affine f32 [images, channels, 4] of `groupAffine`, out f16
 * [images, rows, columns, channels]; rows and columns are height and width, these doubled with `upsample`, and
 * two more with `border`.
 */
export function halvesOfMap(params: HalvesOfMapParams): Kernel<HalvesOfMapBindings> {
  const identity = assertParams('halves_of_map', params, {
    ...MAP_RULES,
    ...{
      border: rule.optional(rule.flag),
      upsample: rule.optional(rule.flag),
      norm: rule.optional(rule.norm),
    },
  });
  const { images, channels, height, width, border = false, upsample = false, norm } = params;
  assert(
    channels % (EACH * SHARING) === 0,
    `halves_of_map: "channels" expected a multiple of ${EACH * SHARING}, got ${channels}`,
  );
  const [scale, around] = [upsample ? 2 : 1, border ? 1 : 0];
  const [rows, columns] = [height + 2 * around, scale * width + 2 * around];
  const shape = [images, channels, height, width];
  const bindings: Bindings = {
    x: { role: 'in', dtype: 'f32', shape, ...(width % WIDE === 0 && { element: 'vec4f' }) },
    ...(norm && {
      affine: { role: 'in', dtype: 'f32', shape: [images, channels, 4], element: 'vec4f' },
    }),
    out: { role: 'out', dtype: 'f16', shape: [images, rows, columns, channels], element: 'vec4u' },
  };
  assertIndexable('halves_of_map', bindings);
  const groups = channels / EACH / SHARING;
  // Four pixels of a row at once, where rows are whole fours: what is read are whole lines of caches.
  const wide = width % WIDE === 0 ? WIDE : 1;
  const type = wide === 1 ? 'f32' : 'vec4f';
  const quads = width / wide;
  const units = images * groups * rows * quads * SHARING;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  const read = 'x[channel * PLANE + start]';
  const pixel = (p: number): string => (wide === 1 ? '' : `[${p}]`);
  const eight = (p: number): string =>
    range(EACH / 2)
      .map((i) => `pack2x16float(vec2f(v${2 * i}${pixel(p)}, v${2 * i + 1}${pixel(p)}))`)
      .join(', ');
  const stores = range(wide).flatMap((p) =>
    range(scale).map((s) => `out[at + ${(p * scale + s) * (channels / EACH)}u] = made${p};`),
  );
  const edge = `(start_of_row + ${columns - 1}u) * ${channels / EACH}u + eight`;
  const code = wgsl`
${declare(bindings)}
const CHANNELS = ${channels}u;
const PLANE = ${height * quads}u; // in what is read at once
${normedLib(norm, type)}

fn value_of(channel: u32, start: u32) -> ${type} {
  return ${norm ? `normed(${read}, affine[channel])` : read};
}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${units}u) { return; }
  let quad = (unit / ${SHARING}u) % ${quads}u;
  let row = (unit / ${SHARING * quads}u) % ${rows}u;
  let block = unit / ${SHARING * quads * rows}u;
  let image = block / ${groups}u;
  let eight = (block % ${groups}u) * ${SHARING}u + unit % ${SHARING}u;
  let start_of_row = (image * ${rows}u + row) * ${columns}u;
  let y = i32(row) - ${around};
  ${range(wide)
    .map((p) => `var made${p} = vec4u();`)
    .join(' ')}
  if (y >= 0 && y < ${height}) {
    let first = image * CHANNELS + eight * ${EACH}u;
    let start = u32(y) * ${quads}u + quad;
    ${range(EACH)
      .map((c) => `let v${c} = value_of(first + ${c}u, start);`)
      .join('\n    ')}
    ${range(wide)
      .map((p) => `made${p} = vec4u(${eight(p)});`)
      .join('\n    ')}
  }
  let at = (start_of_row + quad * ${wide * scale}u + ${around}u) * ${channels / EACH}u + eight;
  ${stores.join('\n  ')}
  ${
    border
      ? `if (quad == 0u) { out[start_of_row * ${channels / EACH}u + eight] = vec4u(); }
  if (quad == ${quads - 1}u) { out[${edge}] = vec4u(); }`
      : ''
  }
}`;
  const notes = [upsample && ' upsample', border && ' border', norm && ` norm ${norm}`];
  return {
    ...identity,
    label: `halves_of_map${notes.filter(Boolean).join('')} f32[${shape}]`,
    code,
    bindings: bindings as HalvesOfMapBindings,
    workgroups: [gx, gy, 1],
  };
}
