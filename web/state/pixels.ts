/** Pixels of pictures and files. */

/** 8-bit RGBA, row by row from the top. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** Longest side of a picture that is read; larger ones are made smaller first. */
const MAX_SIDE = 4096;

/**
 * The pixels of a picture file, as they stand in it.
 * @throws Error when the browser cannot read it.
 */
export async function pixelsOf(file: Blob): Promise<Pixels> {
  const exact = { premultiplyAlpha: 'none', colorSpaceConversion: 'none' } as const;
  const bitmap = await createImageBitmap(file, exact);
  try {
    const by = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
    const width = Math.max(1, Math.round(bitmap.width * by));
    const height = Math.max(1, Math.round(bitmap.height * by));
    const context = new OffscreenCanvas(width, height).getContext('2d');
    if (!context) throw new Error('the browser gives no canvas');
    context.drawImage(bitmap, 0, 0, width, height);
    return { width, height, rgba: bytesOf(context.getImageData(0, 0, width, height)) };
  } finally {
    bitmap.close();
  }
}

/** Newer types know of images of floats too. */
function bytesOf({ data }: ImageData): Uint8ClampedArray<ArrayBuffer> {
  return new Uint8ClampedArray(data);
}
