/** A picture of any size as one of a given size: its middle, as large as fits, resampled. */
import type { RgbaImage } from './grid.ts';
import { enlarger } from './resample.ts';

/**
 * Crops a picture at its longer sides to the shape that is wanted, and resamples it: by area where it
 * becomes smaller, by Lanczos' filter where it becomes larger. What is transparent becomes white.
 */
export function cover(image: RgbaImage, width: number, height: number): RgbaImage {
  const scale = Math.min(image.width / width, image.height / height);
  const cropped = crop(
    image,
    Math.max(1, Math.round(width * scale)),
    Math.max(1, Math.round(height * scale)),
  );
  const opaque = overWhite(cropped);
  if (opaque.width === width && opaque.height === height) return opaque;
  if (scale < 1) return enlarger(opaque, { width, height })(opaque);
  return transposed(narrowed(transposed(narrowed(opaque, width)), height));
}

function crop({ width, height, rgba }: RgbaImage, toWidth: number, toHeight: number): RgbaImage {
  const left = (width - toWidth) >> 1;
  const top = (height - toHeight) >> 1;
  const out = new Uint8ClampedArray(4 * toWidth * toHeight);
  for (let y = 0; y < toHeight; y++) {
    const from = 4 * ((top + y) * width + left);
    out.set(rgba.subarray(from, from + 4 * toWidth), 4 * y * toWidth);
  }
  return { width: toWidth, height: toHeight, rgba: out };
}

function overWhite({ width, height, rgba }: RgbaImage): RgbaImage {
  const out = new Uint8ClampedArray(rgba.length);
  for (let i = 0; i < rgba.length; i++) {
    const alpha = (rgba[i | 3] ?? 0) / 255;
    out[i] = i % 4 === 3 ? 255 : (rgba[i] ?? 0) * alpha + 255 * (1 - alpha);
  }
  return { width, height, rgba: out };
}

/** Each new pixel of a row is the mean of the old ones that it covers. */
function narrowed({ width, height, rgba }: RgbaImage, toWidth: number): RgbaImage {
  const out = new Uint8ClampedArray(4 * toWidth * height);
  const step = width / toWidth;
  for (let x = 0; x < toWidth; x++) {
    const [begin, end] = [x * step, Math.min(width, (x + 1) * step)];
    for (let y = 0; y < height; y++) {
      for (let c = 0; c < 4; c++) {
        let sum = 0;
        for (let from = Math.floor(begin); from < end; from++) {
          const covered = Math.min(end, from + 1) - Math.max(begin, from);
          sum += covered * (rgba[4 * (y * width + from) + c] ?? 0);
        }
        out[4 * (y * toWidth + x) + c] = sum / (end - begin);
      }
    }
  }
  return { width: toWidth, height, rgba: out };
}

function transposed({ width, height, rgba }: RgbaImage): RgbaImage {
  const out = new Uint8ClampedArray(rgba.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 4 * (y * width + x);
      out.set(rgba.subarray(from, from + 4), 4 * (x * height + y));
    }
  }
  return { width: height, height: width, rgba: out };
}
