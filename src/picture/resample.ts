/** Makes images larger, with Lanczos' filter of three lobes. */
import { OptionError } from '../errors.ts';
import type { RgbaImage } from './grid.ts';

/** Most that images can be enlarged. */
export const MAX_SCALE = 8;

const LOBES = 3;
const TAPS = 2 * LOBES;

/** Where each new value of a row or column comes from. */
interface Taps {
  /** Old values, from 0 on, that each new one is a sum of, i32 [length, TAPS]. */
  readonly from: Int32Array;
  /** Their weights, f32 [length, TAPS]; each row sums to 1. */
  readonly weights: Float32Array;
}

/** @throws OptionError when images cannot be enlarged by it. */
export function checkScale(scale: number): void {
  if (scale >= 1 && scale <= MAX_SCALE) return;
  throw new OptionError(`"scale" expected a number from 1 to ${MAX_SCALE}, got ${scale}`);
}

/**
 * Returns a function that enlarges images of `width` x `height` to `toWidth` x `toHeight`. The
 * filter sees the edge repeated outside of an image. Colours are weighed by their alpha, and what
 * overshoots black or white is cut off.
 */
export function enlarger(
  { width, height }: Pick<RgbaImage, 'width' | 'height'>,
  to: Pick<RgbaImage, 'width' | 'height'>,
): (image: RgbaImage) => RgbaImage {
  const [across, down] = [tapsOf(width, to.width), tapsOf(height, to.height)];
  return ({ rgba }) => {
    const wide = new Float32Array(4 * to.width * height);
    const old = premultiplied(rgba);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < to.width; x++) {
        weigh(old, 4 * width * y, 4, across, x, wide, 4 * (to.width * y + x));
      }
    }
    const large = new Float32Array(4 * to.width * to.height);
    for (let y = 0; y < to.height; y++) {
      for (let x = 0; x < to.width; x++) {
        weigh(wide, 4 * x, 4 * to.width, down, y, large, 4 * (to.width * y + x));
      }
    }
    return { ...to, rgba: toBytes(large) };
  };
}

/** One new pixel: the sum of old ones that begin at `start` and lie `stride` values apart. */
function weigh(
  old: Float32Array,
  start: number,
  stride: number,
  { from, weights }: Taps,
  index: number,
  out: Float32Array,
  at: number,
): void {
  let [red, green, blue, alpha] = [0, 0, 0, 0];
  for (let tap = TAPS * index; tap < TAPS * (index + 1); tap++) {
    const weight = weights[tap] ?? 0;
    const pixel = start + stride * (from[tap] ?? 0);
    red += weight * (old[pixel] ?? 0);
    green += weight * (old[pixel + 1] ?? 0);
    blue += weight * (old[pixel + 2] ?? 0);
    alpha += weight * (old[pixel + 3] ?? 0);
  }
  out[at] = red;
  out[at + 1] = green;
  out[at + 2] = blue;
  out[at + 3] = alpha;
}

function tapsOf(length: number, toLength: number): Taps {
  const from = new Int32Array(TAPS * toLength);
  const weights = new Float32Array(TAPS * toLength);
  for (let i = 0; i < toLength; i++) {
    const centre = ((i + 0.5) * length) / toLength - 0.5;
    const first = Math.floor(centre) - LOBES + 1;
    const raw = Array.from({ length: TAPS }, (_, k) => lanczos(first + k - centre));
    const sum = raw.reduce((a, b) => a + b, 0);
    for (const [k, weight] of raw.entries()) {
      from[TAPS * i + k] = Math.min(length - 1, Math.max(0, first + k));
      weights[TAPS * i + k] = weight / sum;
    }
  }
  return { from, weights };
}

function lanczos(x: number): number {
  if (x === 0) return 1;
  const angle = Math.PI * x;
  return (LOBES * Math.sin(angle) * Math.sin(angle / LOBES)) / (angle * angle);
}

function premultiplied(rgba: Uint8ClampedArray): Float32Array {
  const values = Float32Array.from(rgba);
  for (let i = 0; i < values.length; i += 4) {
    const alpha = (rgba[i + 3] ?? 0) / 255;
    for (let c = i; c < i + 3; c++) values[c] = (values[c] ?? 0) * alpha;
  }
  return values;
}

/** Rounds to bytes; colours are divided by their alpha first. */
function toBytes(values: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(values.length);
  for (let i = 0; i < rgba.length; i += 4) {
    const alpha = values[i + 3] ?? 0;
    rgba[i + 3] = alpha;
    const by = rgba[i + 3] === 255 ? 1 : alpha > 0 ? 255 / alpha : 0;
    for (let c = i; c < i + 3; c++) rgba[c] = (values[c] ?? 0) * by;
  }
  return rgba;
}
