/** Oracle of `toRgba`: floor(clamp(127.5 * v + 128, 0, 255)) for each colour, alpha 255; 0 where one is not finite. */
import type { ToRgbaParams } from '../../kernels/conv/to-rgba.ts';

export function toRgba(
  { images, height, width }: ToRgbaParams,
  { image }: { readonly image: ArrayLike<number> },
): Uint32Array {
  const pixels = height * width;
  return Uint32Array.from({ length: images * pixels }, (_, i) => {
    const n = Math.floor(i / pixels);
    let word = 255;
    const colours = [0, 1, 2].map((c) => image[(n * 3 + c) * pixels + (i % pixels)]!);
    if (!colours.every(Number.isFinite)) return 0;
    for (const channel of [2, 1, 0]) {
      const v = colours[channel]!;
      word = word * 256 + Math.floor(Math.min(Math.max(127.5 * v + 128, 0), 255));
    }
    return word;
  });
}
