import { assert, assertGrid, ceilDiv, declare, type Kernel, range } from '../kernel.ts';
import { valueReader } from '../lib/accessors.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import {
  CONV_RULES,
  type ConvBindings,
  type ConvParams,
  describeConv,
  FEW_CHANNELS,
  isFew,
  normedLib,
  type ResidualConvBindings,
} from './conv-shape.ts';

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

/**
 * The convolution of `conv2d` for at most four output channels: a workgroup reads what is around its pixels
 * once for all of them, and one invocation makes all channels of four pixels. Only for 3x3 filters with stride 1
 * and no upsample. Sums in f32, over channels, then taps. It has barriers on every device.
 *
 * Shapes: those of `conv2d`.
 */
export function convFew(params: ConvParams & { residual: true }): Kernel<ResidualConvBindings>;
export function convFew(params: ConvParams & { residual?: false }): Kernel<ConvBindings>;
export function convFew(params: ConvParams): Kernel;
export function convFew(params: ConvParams): Kernel {
  const identity = assertParams('conv_few', params, {
    ...CONV_RULES,
    residual: rule.optional(rule.flag),
  });
  const { name } = identity;
  const { images, inChannels, outChannels, height, width, kernelSize: k } = params;
  const { upsample = false, stride = 1, residual = false, norm, dtype = 'f32' } = params;
  assert(
    isFew(params),
    `${name}: expected at most ${FEW_CHANNELS} output channels of a 3x3 filter with stride 1 and no upsample, got ${outChannels} of ${k}x${k} with stride ${stride}${upsample ? ' and upsample' : ''}`,
  );
  const described = describeConv(identity, params);
  const vector = `vec${Math.max(2, outChannels)}f`;
  const read = 'x[(channel * HEIGHT + u32(y)) * WIDTH + u32(column)]';
  const value = norm ? `normed(${read}, affine[channel])` : read;
  const code = wgsl`
${declare(described.bindings)}
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
    let y = i32(corner.y + line) - 1;
    let column = i32(corner.x + place) - 1;
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
  assertGrid(`${name}: ${images} images of ${height} x ${width}`, workgroups);
  return { ...described, code, workgroups };
}
