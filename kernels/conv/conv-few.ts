/** A convolution to a few channels: a workgroup reads what is around its pixels once for all of them. */

import { assertGrid, type Bindings, ceilDiv, declare, type Kernel, range } from '../kernel.ts';
import { valueReader } from '../lib/accessors.ts';
import { wgsl } from '../lib/wgsl.ts';
import { type Conv2dParams, convSizes, normedLib } from './conv-shape.ts';

/** Pixels of a row that one invocation makes: six loads for twelve products a channel. */
const EACH = 4;
/** Invocations beside and above each other. */
const [ACROSS, DOWN] = [8, 8];
/** Pixels of a workgroup, and what it reads around them. */
const [COLUMNS, ROWS] = [ACROSS * EACH, DOWN];
const [SPAN, LINES] = [COLUMNS + 2, ROWS + 2];
/** Values from one line to the next: with an odd distance, lines of invocations meet other banks. */
const STRIDE = SPAN + 1;
/** Input channels in workgroup memory at once: 12 KB. */
const SLICE = 8;

/** Text and grid for the bindings of `conv2d`, 3x3 with stride 1. Sums run over channels, then taps. */
export function convFew(
  params: Conv2dParams,
  bindings: Bindings,
): Pick<Kernel, 'code' | 'workgroups'> {
  const { images, inChannels, outChannels, height, width } = params;
  const { residual = false, norm, dtype = 'f32' } = params;
  const { pad } = convSizes(params);
  const vector = `vec${Math.max(2, outChannels)}f`;
  const read = 'x[(channel * HEIGHT + u32(y)) * WIDTH + u32(column)]';
  const value = norm ? `normed(${read}, affine[channel])` : read;
  const code = wgsl`
${declare(bindings)}
const IN_CHANNELS = ${inChannels}u;
const OUT_CHANNELS = ${outChannels}u;
const HEIGHT = ${height}u;
const WIDTH = ${width}u;
var<workgroup> values: array<f32, ${SLICE * LINES * STRIDE}>; // of a slice of channels
var<workgroup> filters: array<${vector}, ${SLICE * 9}>; // of each tap, for all output channels
${normedLib(norm)}
${valueReader('weight', dtype)}

// Value of a channel of all images, zero outside the map.
fn value_of(channel: u32, y: i32, column: i32) -> f32 {
  if (y < 0 || y >= i32(HEIGHT) || column < 0 || column >= i32(WIDTH)) { return 0.0; }
  return ${value};
}

fn fill_values(image: u32, first: u32, count: u32, corner: vec2u, lane: u32) {
  for (var i = lane; i < count * ${LINES * SPAN}u; i += ${ACROSS * DOWN}u) {
    let c = i / ${LINES * SPAN}u;
    let line = (i / ${SPAN}u) % ${LINES}u;
    let place = i % ${SPAN}u;
    let y = i32(corner.y + line) - ${pad};
    let column = i32(corner.x + place) - ${pad};
    values[(c * ${LINES}u + line) * ${STRIDE}u + place] =
      value_of(image * IN_CHANNELS + first + c, y, column);
  }
}

fn fill_filters(first: u32, count: u32, lane: u32) {
  for (var i = lane; i < count * 9u; i += ${ACROSS * DOWN}u) {
    var filter_ = ${vector}();
    for (var o = 0u; o < OUT_CHANNELS; o++) {
      filter_[o] = weight_at((o * IN_CHANNELS + first) * 9u + i);
    }
    filters[i] = filter_;
  }
}

fn store(image: u32, y: u32, column: u32, sum: ${vector}) {
  if (y >= HEIGHT || column >= WIDTH) { return; }
  for (var o = 0u; o < OUT_CHANNELS; o++) {
    let at = ((image * OUT_CHANNELS + o) * HEIGHT + y) * WIDTH + column;
    out[at] = sum[o] + bias[o]${residual ? ' + residual[at]' : ''};
  }
}

@compute @workgroup_size(${ACROSS * DOWN})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let corner = group.xy * vec2u(${COLUMNS}u, ${ROWS}u);
  let place = lane % ${ACROSS}u * ${EACH}u;
  let line = lane / ${ACROSS}u;
  ${range(EACH)
    .map((p) => `var sum${p} = ${vector}();`)
    .join(' ')}
  for (var first = 0u; first < IN_CHANNELS; first += ${SLICE}u) {
    let count = min(${SLICE}u, IN_CHANNELS - first);
    fill_values(group.z, first, count, corner, lane);
    fill_filters(first, count, lane);
    workgroupBarrier();
    for (var row = 0u; row < count * 3u; row++) {
      let at = (row / 3u * ${LINES}u + line + row % 3u) * ${STRIDE}u + place;
      ${range(EACH + 2)
        .map((j) => `let v${j} = values[at + ${j}u];`)
        .join('\n      ')}
      ${range(3)
        .map((kx) => `let w${kx} = filters[row * 3u + ${kx}u];`)
        .join('\n      ')}
      ${range(EACH)
        .flatMap((p) => range(3).map((kx) => `sum${p} += v${p + kx} * w${kx};`))
        .join('\n      ')}
    }
    workgroupBarrier();
  }
  ${range(EACH)
    .map((p) => `store(group.z, corner.y + line, corner.x + place + ${p}u, sum${p});`)
    .join('\n  ')}
}`;
  const workgroups = [ceilDiv(width, COLUMNS), ceilDiv(height, ROWS), images] as const;
  return {
    code,
    workgroups: assertGrid(`conv2d: ${images} images of ${height} x ${width}`, workgroups),
  };
}
