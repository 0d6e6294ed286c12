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
  range,
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

/**
 * Convolution: out[n, o, y, x] = bias[o] + sum_{c, ky, kx} weight[o, c, ky, kx] *
 * in[n, c, stride * y + ky - pad, stride * x + kx - pad] (+ residual[n, o, y, x]), with zeros outside
 * the image; `in` is x, or x doubled; pad is (k - 1) / 2, or 0 with stride 2.
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
  assert(
    k === 3 || (stride === 1 && !upsample),
    'conv2d: a 1x1 filter has neither stride nor upsample',
  );
  assert(stride === 1 || !upsample, 'conv2d: stride 2 and upsample exclude each other');
  const outSize = (size: number): number =>
    upsample ? 2 * size : stride === 2 ? Math.floor((size - 2) / 2) + 1 : size;
  const [outHeight, outWidth] = [outSize(height), outSize(width)];
  assertSizes('conv2d', { outHeight, outWidth });
  const inShape = [images, inChannels, height, width];
  const outShape = [images, outChannels, outHeight, outWidth];
  const bindings: Bindings = {
    x: { role: 'in', dtype: 'f32', shape: inShape },
    weight: { role: 'in', dtype: weightDtype, shape: [outChannels, inChannels, k, k] },
    bias: { role: 'in', dtype: 'f32', shape: [outChannels] },
    ...(residual && { residual: { role: 'in', dtype: 'f32', shape: outShape } }),
    out: { role: 'out', dtype: 'f32', shape: outShape },
  };
  assertIndexable('conv2d', bindings);
  // Rows mean nothing to a 1x1 filter: one long row leaves no ragged tiles between them.
  const [rows, columns] = k === 1 ? [1, height * width] : [height, width];
  const [outRows, outColumns] = k === 1 ? [rows, columns] : [outHeight, outWidth];
  const tile = tileOf({ columns, outColumns, k, upsample, stride });
  const { pixels, tilesX } = tile;
  const tilesC = ceilDiv(outChannels, CHANNELS);
  const units = images * tilesC * outRows * tilesX;
  const [gx, gy] = grid(ceilDiv(units, SIZE));
  // Position in the input, doubled if upsampled, of a position in the output.
  const inputOf = (at: string): string => (stride === 2 ? `i32(${at}) * 2` : `i32(${at})`);
  const tap = `${inputOf('out_y')} + ky - ${tile.pad}`;
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
  let first = ${inputOf('out_x')}${upsample ? ' / 2' : ''};
  ${tile.columns}
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
    ${tile.sums('')}
#else
    for (var ky = 0; ky < ${k}; ky++) {
      let y = ${upsample ? `(${tap}) >> 1u` : tap};
      let row_inside = y >= 0 && y < ROWS;
      let row = plane + clamp(y, 0, ROWS - 1) * COLUMNS;
      ${range(CHANNELS)
        .map((c) => `let f${c} = weights_at(filter${c}); filter${c} += ${k}u;`)
        .join('\n      ')}
      ${range(k)
        .map((kx) => `let w${kx} = vec4f(${range(CHANNELS).map((c) => `f${c}[${kx}]`)});`)
        .join('\n      ')}
      ${tile.sums('row_inside')}
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
  const notes = [
    upsample && ' upsample',
    stride === 2 && ' stride 2',
    residual && ' residual',
    weightDtype === 'f16' && ' f16 weight',
  ].filter(Boolean);
  return {
    label: `conv2d ${k}x${k}${notes.join('')} f32[${inShape}]->[${outShape}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
  };
}

interface RowParams {
  readonly columns: number;
  readonly outColumns: number;
  readonly k: number;
  readonly upsample: boolean;
  readonly stride: number;
}

/** How an invocation walks along a row: which columns it loads and what it adds to each pixel. */
function tileOf({ columns, outColumns, k, upsample, stride }: RowParams) {
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
  const tests = loaded.map((j) => [
    ...(j < pad ? [`first >= ${pad - j}`] : []),
    ...(lastFirst + j - pad >= columns ? [`first + ${j - pad} < COLUMNS`] : []),
  ]);
  return {
    pad,
    pixels,
    tilesX,
    /** Text that names the loaded columns. */
    columns: loaded
      .map((j) => {
        const at = `first + ${j - pad}`;
        return tests[j]?.length
          ? `let inside${j} = ${tests[j].join(' && ')}; let column${j} = clamp(${at}, 0, COLUMNS - 1);`
          : `let column${j} = ${at};`;
      })
      .join('\n  '),
    /** Text that loads them from a row and adds their products; zeros where `rowTest` fails. */
    sums(rowTest: string): string {
      const loads = loaded.map((j) => {
        const test = [rowTest, tests[j]?.length ? `inside${j}` : ''].filter(Boolean).join(' && ');
        const value = `x[row + column${j}]`;
        return `let v${j} = ${test ? `select(0.0, ${value}, ${test})` : value};`;
      });
      const products = range(pixels).map((p) =>
        range(k)
          .map((kx) => `sum${p} += v${columnOf(p, kx)} * w${kx};`)
          .join(' '),
      );
      return [...loads, ...products].join('\n      ');
    },
  };
}
