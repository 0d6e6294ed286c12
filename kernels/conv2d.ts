import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  assert,
  assertSizes,
  type Binding,
  type Bindings,
  ceilDiv,
  declare,
  grid,
  type Kernel,
} from './kernel.ts';
import { assertIndexable } from './lib/indexable.ts';
import { valueReader } from './lib/value-reader.ts';

export interface Conv2dParams {
  readonly images: number;
  readonly inChannels: number;
  readonly outChannels: number;
  /** Rows of the input. */
  readonly height: number;
  /** Columns of the input. */
  readonly width: number;
  /** Rows and columns of the filter. */
  readonly kernelSize: 1 | 3;
  /** Double the input by nearest neighbour first; folded into the reads. Default false. */
  readonly upsample?: boolean;
  /** 2 pads one zero row below and one column to the right, and nothing else. Default 1. */
  readonly stride?: 1 | 2;
  /** Add the binding `residual`, shaped like the output. Default false. */
  readonly residual?: boolean;
  /** Storage of the weights; the bias is f32. Default f32. */
  readonly weightDtype?: 'f32' | 'f16';
}

export type Conv2dBindings = {
  readonly x: Binding<'in'>;
  readonly weight: Binding<'in'>;
  readonly bias: Binding<'in'>;
  readonly out: Binding<'out'>;
};
export type ResidualConv2dBindings = Conv2dBindings & { readonly residual: Binding<'in'> };

/** Columns of output from which an invocation makes eight pixels in a row instead of four. */
const WIDE = 64;
/** Output channels that one invocation makes: the four of a vec4f. */
const CHANNELS = 4;
const SIZE = 64;

const range = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

/**
 * Convolution: out[n, o, y, x] = bias[o] + sum_{c, ky, kx} in(n, c, y, x, ky, kx) * weight[o, c, ky, kx]
 * (+ residual[n, o, y, x]), with zeros outside the image.
 *
 * Shapes: x [images, inChannels, height, width], weight [outChannels, inChannels, k, k], bias
 * [outChannels], residual and out [images, outChannels, outHeight, outWidth]; the output has the size
 * of the input, twice that with `upsample`, or floor((size - 2) / 2) + 1 with stride 2. Sums in f32.
 * One invocation makes four channels of four or eight neighbouring pixels, without barriers.
 * Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, the Conv2d of Encoder, Decoder, ResnetBlock
 * and AttnBlock, Upsample (nearest, then conv) and Downsample (asymmetric padding).
 */
export function conv2d(params: Conv2dParams & { residual: true }): Kernel<ResidualConv2dBindings>;
export function conv2d(params: Conv2dParams & { residual?: false }): Kernel<Conv2dBindings>;
export function conv2d(params: Conv2dParams): Kernel {
  const { images, inChannels, outChannels, height, width, kernelSize: k } = params;
  const { upsample = false, stride = 1, residual = false, weightDtype = 'f32' } = params;
  assertSizes('conv2d', { images, inChannels, outChannels, height, width });
  const [outHeight, outWidth] = [height, width].map((n) =>
    upsample ? 2 * n : stride === 2 ? Math.floor(n / 2) : n,
  ) as [number, number];
  assert(
    k === 3 || (stride === 1 && !upsample),
    'conv2d: a 1x1 filter has neither stride nor upsample',
  );
  assert(stride === 1 || !upsample, 'conv2d: stride 2 and upsample exclude each other');
  assertSizes('conv2d', { outHeight, outWidth });
  const outShape = [images, outChannels, outHeight, outWidth];
  const bindings: Bindings = {
    x: { role: 'in', dtype: 'f32', shape: [images, inChannels, height, width] },
    weight: { role: 'in', dtype: weightDtype, shape: [outChannels, inChannels, k, k] },
    bias: { role: 'in', dtype: 'f32', shape: [outChannels] },
    ...(residual && { residual: { role: 'in', dtype: 'f32', shape: outShape } }),
    out: { role: 'out', dtype: 'f32', shape: outShape },
  };
  assertIndexable('conv2d', bindings);
  // Rows mean nothing to a 1x1 filter: one long row leaves no ragged tiles between them.
  const flat = k === 1;
  const [rows, columns] = flat ? [1, height * width] : [height, width];
  const [outRows, outColumns] = flat ? [rows, columns] : [outHeight, outWidth];
  const pad = k === 3 && stride === 1 ? 1 : 0;
  // Wide tiles load less per product; narrow images need the invocations more.
  const pixels = k === 3 && outColumns >= WIDE ? 8 : 4;
  const tilesX = ceilDiv(outColumns, pixels);
  const tilesC = ceilDiv(outChannels, CHANNELS);
  const units = images * tilesC * outRows * tilesX;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  // Which of the loaded columns pixel p meets under filter column kx.
  const columnOf = (p: number, kx: number): number =>
    upsample ? Math.floor((p + kx - 1) / 2) + 1 : p * stride + kx;
  const loaded = columnOf(pixels - 1, k - 1) + 1;
  // Tiles start at multiples of their width, so most columns are inside the image whatever the tile.
  const lastFirst = ((tilesX - 1) * pixels * stride) / (upsample ? 2 : 1);
  const inside = (j: number): string =>
    [
      ...(j < pad ? [`first + ${j} >= ${pad}`] : []),
      ...(lastFirst + j - pad >= columns ? [`first + ${j - pad} < ${columns}`] : []),
    ].join(' && ');
  const code = wgsl`
${declare(bindings)}
const IN_CHANNELS = ${inChannels}u;
const OUT_CHANNELS = ${outChannels}u;
const ROWS = ${rows};
const COLUMNS = ${columns};
const OUT_ROWS = ${outRows}u;
const OUT_COLUMNS = ${outColumns}u;
const PLANE = ${rows * columns};
const OUT_PLANE = ${outRows * outColumns}u;

#if ${k === 1}
${valueReader('weight', weightDtype)}
#else
// Three neighbours in a row of the filter.
fn weights_at(i: u32) -> vec3f {
#if ${weightDtype === 'f16'}
  // They lie in two words, whether the first is a low or a high half.
  let a = weight[i >> 1u];
  let b = weight[(i >> 1u) + 1u];
  let odd = (i & 1u) == 1u;
  let pair = select(a, (a >> 16u) | (b << 16u), odd);
  return vec3f(unpack2x16float(pair), unpack2x16float(select(b, b >> 16u, odd)).x);
#else
  return vec3f(weight[i], weight[i + 1u], weight[i + 2u]);
#endif
}
#endif

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
  let channel = ((unit / (${tilesX}u * OUT_ROWS)) % ${tilesC}u) * ${CHANNELS}u;
  let image = unit / (${tilesX}u * OUT_ROWS * ${tilesC}u);
  let first = i32(out_x${upsample ? ' / 2u' : stride === 2 ? ' * 2u' : ''});
  ${range(loaded)
    .map((j) => {
      const test = inside(j);
      const at = `first + ${j - pad}`;
      return test
        ? `let inside${j} = ${test}; let column${j} = clamp(${at}, 0, COLUMNS - 1);`
        : `let column${j} = ${at};`;
    })
    .join('\n  ')}
  ${range(CHANNELS)
    .map(
      (c) => `var filter${c} = min(channel + ${c}u, OUT_CHANNELS - 1u) * IN_CHANNELS * ${k * k}u;`,
    )
    .join('\n  ')}
  ${range(pixels)
    .map((p) => `var sum${p} = vec4f();`)
    .join(' ')}
  var plane = i32(image * IN_CHANNELS) * PLANE;
  for (var c = 0u; c < IN_CHANNELS; c++) {
#if ${k === 1}
    let row = plane;
    let w0 = vec4f(${range(CHANNELS).map((c) => `weight_at(filter${c} + c)`)});
    ${body([0])}
#else
    for (var ky = 0; ky < ${k}; ky++) {
      let y = ${upsample ? '(i32(out_y) + ky - 1) >> 1u' : stride === 2 ? 'i32(out_y) * 2 + ky' : 'i32(out_y) + ky - 1'};
      let row_inside = y >= 0 && y < ROWS;
      let row = plane + clamp(y, 0, ROWS - 1) * COLUMNS;
      ${range(CHANNELS)
        .map((c) => `let f${c} = weights_at(filter${c}); filter${c} += ${k}u;`)
        .join('\n      ')}
      ${range(k)
        .map((kx) => `let w${kx} = vec4f(${range(CHANNELS).map((c) => `f${c}[${kx}]`)});`)
        .join('\n      ')}
      ${body(range(k))}
    }
#endif
    plane += PLANE;
  }
  let count = i32(OUT_COLUMNS - out_x);
  let at = (image * OUT_CHANNELS + channel) * OUT_PLANE + out_y * OUT_COLUMNS + out_x;
  ${range(CHANNELS)
    .flatMap((c) =>
      range(pixels / 4).map((q) => {
        const values = range(4).map((p) => `sum${4 * q + p}[${c}]`);
        return `store(channel + ${c}u, at + ${c}u * OUT_PLANE + ${4 * q}u, count - ${4 * q}, vec4f(${values}));`;
      }),
    )
    .join('\n  ')}
}`;
  return {
    label: `conv2d ${k}x${k}${upsample ? ' upsample' : ''}${stride === 2 ? ' stride 2' : ''}${residual ? ' residual' : ''}${weightDtype === 'f16' ? ' f16' : ''} f32[${images},${inChannels},${height},${width}]->[${outShape}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };

  function body(taps: readonly number[]): string {
    const loads = range(loaded).map((j) => {
      const tests = [...(flat ? [] : ['row_inside']), ...(inside(j) ? [`inside${j}`] : [])];
      const value = `x[row + column${j}]`;
      return `let v${j} = ${tests.length > 0 ? `select(0.0, ${value}, ${tests.join(' && ')})` : value};`;
    });
    const sums = range(pixels).map((p) =>
      taps.map((kx) => `sum${p} += v${columnOf(p, kx)} * w${kx};`).join(' '),
    );
    return [...loads, ...sums].join('\n      ');
  }
}
