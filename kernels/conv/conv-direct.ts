import { ceilDiv, declare, grid, type Kernel, range } from '../kernel.ts';
import { valueReader } from '../lib/accessors.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import {
  CONV_RULES,
  type ConvBindings,
  type ConvParams,
  convSizes,
  describeConv,
  normedLib,
  type ResidualConvBindings,
} from './conv-shape.ts';

/** Columns of output from which an invocation makes eight pixels in a row instead of four. */
const WIDE = 64;
/** Most output channels that one invocation makes: the four of a vec4f. */
const MOST_CHANNELS = 4;
const SIZE = 64;

/**
 * The convolution of `conv2d` without barriers: one invocation makes two to four channels of four or eight
 * neighbouring pixels of a row. Sums in f32, over channels, then taps.
 *
 * Shapes: those of `conv2d`.
 */
export function convDirect(params: ConvParams & { residual: true }): Kernel<ResidualConvBindings>;
export function convDirect(params: ConvParams & { residual?: false }): Kernel<ConvBindings>;
export function convDirect(params: ConvParams): Kernel;
export function convDirect(params: ConvParams): Kernel {
  const identity = assertParams('conv_direct', params, {
    ...CONV_RULES,
    residual: rule.optional(rule.flag),
  });
  const { images, inChannels, outChannels, height, width, kernelSize: k } = params;
  const { upsample = false, stride = 1, residual = false, norm, dtype = 'f32' } = params;
  const described = describeConv(identity, params);
  const { outHeight, outWidth } = convSizes(params);
  // Rows mean nothing to a 1x1 filter: one long row leaves no ragged tiles between them.
  const [rows, columns] = k === 1 ? [1, height * width] : [height, width];
  const [outRows, outColumns] = k === 1 ? [rows, columns] : [outHeight, outWidth];
  const tile = rowTile({ columns, outColumns, k, upsample, stride, norm: norm !== undefined });
  const { pixels, tilesX } = tile;
  // Three channels are a vec3f; one is half of a vec2f.
  const channels = Math.min(Math.max(2, outChannels), MOST_CHANNELS);
  const vector = `vec${channels}f`;
  const tilesC = ceilDiv(outChannels, channels);
  const units = images * tilesC * outRows * tilesX;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  // Position in the input, doubled if upsampled, of a position in the output.
  const inputOf = (at: string): string => (stride === 2 ? `i32(${at}) * 2` : `i32(${at})`);
  const tap = `${inputOf('out_y')} + ky - ${tile.pad}`;
  const code = wgsl`
${declare(described.bindings)}
const IN_CHANNELS = ${inChannels}u;
const OUT_CHANNELS = ${outChannels}u;
const ROWS = ${rows};
const COLUMNS = ${columns};
const OUT_ROWS = ${outRows}u;
const OUT_COLUMNS = ${outColumns}u;
const PLANE = ${rows * columns};
const OUT_PLANE = ${outRows * outColumns}u;

${normedLib(norm)}
${tile.valueLib}
${k === 1 ? valueReader('weight', dtype) : filterReader(dtype)}

fn store(channel: u32, at: u32, count: i32, v: vec4f) {
  if (channel >= OUT_CHANNELS) { return; }
  let b = bias[channel];
  for (var p = 0u; i32(p) < min(count, 4); p++) {
    out[at + p] = v[p] + b${residual ? ' + residual[at + p]' : ''};
  }
}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${units}u) { return; }
  let out_x = (unit % ${tilesX}u) * ${pixels}u;
  let out_y = (unit / ${tilesX}u) % OUT_ROWS;
  let channel = ${tilesC === 1 ? '0u' : `((unit / (${tilesX}u * OUT_ROWS)) % ${tilesC}u) * ${channels}u`};
  let image = unit / (${tilesX}u * OUT_ROWS * ${tilesC}u);
  let first = ${inputOf('out_x')}${upsample ? ' / 2' : ''};
  ${range(channels)
    .map(
      (c) => `var filter${c} = min(channel + ${c}u, OUT_CHANNELS - 1u) * IN_CHANNELS * ${k * k}u;`,
    )
    .join('\n  ')}
  ${range(pixels)
    .map((p) => `var sum${p} = ${vector}();`)
    .join(' ')}
  var plane = i32(image * IN_CHANNELS) * PLANE;
  for (var c = 0u; c < IN_CHANNELS; c++) {
    ${norm ? 'let channel_affine = affine[image * IN_CHANNELS + c];' : ''}
    ${
      k === 1
        ? `let row = plane;
    let row_inside = true;
    let w0 = ${vector}(${range(channels).map((c) => `weight_at(filter${c} + c)`)});
    ${tile.sums}`
        : `for (var ky = 0; ky < ${k}; ky++) {
      let y = ${upsample ? `(${tap}) >> 1u` : tap};
      let row_inside = y >= 0 && y < ROWS;
      let row = plane + clamp(y, 0, ROWS - 1) * COLUMNS;
      ${range(channels)
        .map((c) => `let f${c} = weights_at(filter${c}); filter${c} += ${k}u;`)
        .join('\n      ')}
      ${range(k)
        .map((kx) => `let w${kx} = ${vector}(${range(channels).map((c) => `f${c}[${kx}]`)});`)
        .join('\n      ')}
      ${tile.sums}
    }`
    }
    plane += PLANE;
  }
  let count = i32(OUT_COLUMNS - out_x);
  let at = (image * OUT_CHANNELS + channel) * OUT_PLANE + out_y * OUT_COLUMNS + out_x;
  ${range(channels)
    .flatMap((c) =>
      range(pixels / 4).map((q) => {
        const values = range(4).map((p) => `sum${4 * q + p}[${c}]`);
        return `store(channel + ${c}u, at + ${c}u * OUT_PLANE + ${4 * q}u, count - ${4 * q}, vec4f(${values}));`;
      }),
    )
    .join('\n  ')}
}`;
  return { ...described, code, workgroups: [gx, gy, 1] };
}

/** `fn weights_at(i: u32) -> vec3f`. */
const filterReader = (dtype: 'f32' | 'f16'): string => `
// Three neighbours in a row of the filter.
fn weights_at(i: u32) -> vec3f {
  ${
    dtype === 'f16'
      ? `// They lie in two words, whether the first is a low or a high half.
  let a = weight[i >> 1u];
  let b = weight[(i >> 1u) + 1u];
  let odd = (i & 1u) == 1u;
  let pair = select(a, (a >> 16u) | (b << 16u), odd);
  return vec3f(unpack2x16float(pair), unpack2x16float(select(b, b >> 16u, odd)).x);`
      : 'return vec3f(weight[i], weight[i + 1u], weight[i + 2u]);'
  }
}`;

interface RowParams {
  readonly columns: number;
  readonly outColumns: number;
  readonly k: number;
  readonly upsample: boolean;
  readonly stride: number;
  /** Whether what is read is normalised. */
  readonly norm: boolean;
}

/** How an invocation walks along a row: which columns it loads and what it adds to each pixel. */
function rowTile({ columns, outColumns, k, upsample, stride, norm }: RowParams) {
  const pad = k === 3 && stride === 1 ? 1 : 0;
  // Wide tiles load less for each product; narrow images need the invocations more.
  const pixels = k === 3 && outColumns >= WIDE ? 8 : 4;
  const tilesX = ceilDiv(outColumns, pixels);
  // Which of the loaded columns pixel p meets under filter column kx.
  const columnOf = (p: number, kx: number): number =>
    upsample ? Math.floor((p + kx - pad) / 2) + pad : p * stride + kx;
  const loaded = range(columnOf(pixels - 1, k - 1) + 1);
  // Tiles start at multiples of their width, so most columns are inside the image whatever the tile.
  const lastFirst = ((tilesX - 1) * pixels * stride) / (upsample ? 2 : 1);
  const mayLeave = (j: number): boolean => j < pad || lastFirst + j - pad >= columns;
  const affine = norm ? ', channel_affine: vec4f' : '';
  return {
    pad,
    pixels,
    tilesX,
    /** `fn value_in`, of a column that is inside the image whatever the tile, and `fn value_at`, of any. */
    valueLib: `
fn value_in(row: i32, column: i32, row_inside: bool${affine}) -> f32 {
  return select(0.0, ${norm ? 'normed(x[row + column], channel_affine)' : 'x[row + column]'}, row_inside);
}
fn value_at(row: i32, column: i32, row_inside: bool${affine}) -> f32 {
  let value = value_in(row, clamp(column, 0, COLUMNS - 1), row_inside${norm ? ', channel_affine' : ''});
  return select(0.0, value, column >= 0 && column < COLUMNS);
}`,
    /** Statements that load the columns of a row and add their products. */
    sums: [
      ...loaded.map(
        (j) =>
          `let v${j} = ${mayLeave(j) ? 'value_at' : 'value_in'}(row, first + ${j - pad}, row_inside${norm ? ', channel_affine' : ''});`,
      ),
      ...range(pixels).map((p) =>
        range(k)
          .map((kx) => `sum${p} += v${columnOf(p, kx)} * w${kx};`)
          .join(' '),
      ),
    ].join('\n      '),
  };
}
