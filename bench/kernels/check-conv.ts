/** The oracle of convolutions, on two corners of their output. */
import { conv2d } from '../../test/oracle/conv2d.ts';
import { type KernelRun, samples } from './run.ts';

/** Side of the corners of a feature map that are compared, in pixels of the output. */
const CORNER = 8;
/** Output channels that are compared. */
const CHANNELS = 8;

interface Map4 {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

interface Window {
  readonly top: number;
  readonly left: number;
  readonly rows: number;
  readonly columns: number;
}

/** A window of some channels of a feature map [1, channels, height, width]. */
function cut(
  x: ArrayLike<number>,
  map: Map4,
  channels: readonly number[],
  w: Window,
): Float32Array {
  const out = new Float32Array(channels.length * w.rows * w.columns);
  let i = 0;
  for (const c of channels) {
    for (let y = w.top; y < w.top + w.rows; y++) {
      const row = (c * map.height + y) * map.width + w.left;
      for (let column = 0; column < w.columns; column++) out[i++] = x[row + column] ?? Number.NaN;
    }
  }
  return out;
}

/**
 * Two opposite corners of some channels. A corner is computed from a cut of the input that is larger
 * on its inner sides, where the oracle would pad with zeros.
 */
export async function checkConv(run: KernelRun): Promise<void> {
  const [images, inChannels, height, width] = run.shape('x');
  const [outChannels = 1, outHeight = 1, outWidth = 1] = run.binding('out').shape.slice(-3);
  const [, , kernelSize] = run.shape('weight');
  const upsample = outHeight === 2 * height && outWidth === 2 * width;
  const stride: 1 | 2 = !upsample && outHeight < height ? 2 : 1;
  if (images !== 1) throw new RangeError(`${run.kernel.label}: expected one image`);
  const channels = samples(outChannels, CHANNELS);
  const weight = await run.rows('weight', channels);
  // A convolution in parts leaves the bias to the kernel that adds them.
  const allBias = run.has('bias') ? await run.values('bias') : undefined;
  const bias = channels.map((c) => (allBias ? (allBias[c] ?? Number.NaN) : 0));
  const x = await normalised(run);
  const out = await wholeSums(run, outChannels * outHeight * outWidth);
  const residual = run.has('residual') ? await run.values('residual') : undefined;
  const scale = upsample ? 2 : 1 / stride;
  const every = Array.from({ length: inChannels }, (_, c) => c);
  const inMap = { channels: inChannels, height, width };
  const outMap = { channels: outChannels, height: outHeight, width: outWidth };
  const [rows, columns] = [Math.min(CORNER, outHeight), Math.min(CORNER, outWidth)];
  for (const last of [false, true]) {
    // The corner of the output, and the input below it with two pixels more on the inner sides.
    const target: Window = {
      top: last ? outHeight - rows : 0,
      left: last ? outWidth - columns : 0,
      rows,
      columns,
    };
    const source = grown(target, scale, inMap, last);
    const cutOut = { rows: source.rows * scale, columns: source.columns * scale };
    const params = {
      ...{ images: 1, inChannels, outChannels: channels.length },
      ...{ height: source.rows, width: source.columns, upsample, stride },
      kernelSize: kernelSize as 1 | 3,
    } as const;
    const made = conv2d(params, { x: cut(x, inMap, every, source), weight, bias });
    const small = { channels: channels.length, height: cutOut.rows, width: cutOut.columns };
    const inner: Window = {
      top: target.top - source.top * scale,
      left: target.left - source.left * scale,
      rows,
      columns,
    };
    const own = channels.map((_, i) => i);
    const expected = cut(made, small, own, inner);
    if (residual) {
      const add = cut(residual, outMap, channels, target);
      for (let i = 0; i < expected.length; i++) expected[i] = (expected[i] ?? 0) + (add[i] ?? 0);
    }
    run.close(`${last ? 'last' : 'first'} corner`, cut(out, outMap, channels, target), expected);
  }
}

/** The input, through the norm that the kernel applies while it reads, if it has one. */
async function normalised(run: KernelRun): Promise<ArrayLike<number>> {
  const x = await run.values('x');
  if (!run.has('affine')) return x;
  const affine = await run.values('affine');
  const [, channels] = run.shape('x');
  const plane = x.length / channels;
  const swish = run.kernel.label.includes(' swish');
  return Float64Array.from(x, (value, i) => {
    const c = Math.floor(i / plane);
    const [mean = 0, scale = 1, shift = 0] = affine.subarray(4 * c, 4 * c + 3);
    const v = (value - mean) * scale + shift;
    return swish ? v / (1 + Math.exp(-v)) : v;
  });
}

/** The output, or the sum of its parts. */
async function wholeSums(run: KernelRun, count: number): Promise<ArrayLike<number>> {
  const out = await run.values('out');
  if (out.length === count) return out;
  const sums = new Float64Array(count);
  for (let i = 0; i < out.length; i++) sums[i % count] = (sums[i % count] ?? 0) + (out[i] ?? 0);
  return sums;
}

/** The part of the input under a corner of the output, a little larger towards the middle. */
function grown(target: Window, scale: number, map: Map4, last: boolean): Window {
  const more = 2;
  const rows = Math.min(map.height, Math.ceil(target.rows / scale) + more);
  const columns = Math.min(map.width, Math.ceil(target.columns / scale) + more);
  return {
    top: last ? map.height - rows : 0,
    left: last ? map.width - columns : 0,
    rows,
    columns,
  };
}
