/** Oracle of `textureRows`: rows of pixels with zeros behind them, and where pixels are 0. */
import type { TextureRowsParams } from '../../kernels/conv/texture-rows.ts';

export function textureRows(
  { images, height, width, stride, blueFirst = false }: TextureRowsParams,
  { rgba, flaws }: { readonly rgba: ArrayLike<number>; readonly flaws: ArrayLike<number> },
): { readonly rows: Uint32Array; readonly flaws: Uint32Array } {
  const rows = new Uint32Array(images * height * stride);
  const counted = Uint32Array.from(flaws);
  for (let image = 0; image < images; image++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const index = y * width + x;
        const pixel = rgba[image * height * width + index]!;
        const [r, g, b, a] = [0, 8, 16, 24].map((bits) => Math.floor(pixel / 2 ** bits) % 256);
        const bytes = blueFirst ? [b!, g!, r!, a!] : [r!, g!, b!, a!];
        rows[(image * height + y) * stride + x] = bytes.reduceRight((word, v) => word * 256 + v);
        if (pixel !== 0) continue;
        counted[2 * image] = Math.min(counted[2 * image]!, index);
        counted[2 * image + 1]! += 1;
      }
    }
  }
  return { rows, flaws: counted };
}
