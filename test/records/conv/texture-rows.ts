import {
  textureRows as kernel,
  NO_FLAW,
  type TextureRowsParams,
} from '../../../kernels/conv/texture-rows.ts';
import { textureRows as oracle } from '../../oracle/texture-rows.ts';
import { uniform } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

/** Images before the last that have pixels which are 0, none of them the first. */
const isFlawed = (image: number, pixel: number): boolean => image > 0 && pixel % 7 === 3;

export const textureRows: KernelRecord<TextureRowsParams> = record<
  TextureRowsParams,
  Parameters<typeof oracle>[1]
>({
  name: 'texture_rows',
  kernel,
  shown: { images: 1, height: 96, width: 96, stride: 128 },
  suites: [
    {
      cases: [
        { images: 1, height: 1, width: 1, stride: 1 },
        { images: 3, height: 5, width: 6, stride: 8 },
        { images: 2, height: 4, width: 64, stride: 64 },
        { images: 2, height: 3, width: 65, stride: 128, blueFirst: true },
        { images: 4, height: 9, width: 7, stride: 7, blueFirst: true },
      ],
    },
  ],
  texts: [
    { images: 2, height: 3, width: 5, stride: 64 },
    { images: 2, height: 3, width: 5, stride: 64, blueFirst: true },
  ],
  inputs: {
    rgba: ({ images, height, width }) => {
      const next = uniform(1);
      const pixels = height * width;
      return Uint32Array.from({ length: images * pixels }, (_, i) => {
        const word = Math.floor(next() * 2 ** 32);
        return isFlawed(Math.floor(i / pixels), i % pixels) ? 0 : Math.max(1, word);
      });
    },
    // Of the last image something was found before.
    flaws: ({ images }) =>
      Uint32Array.from({ length: images * 2 }, (_, i) => {
        const isLast = i >= 2 * images - 2;
        return i % 2 === 0 ? (isLast ? 1 : NO_FLAW) : isLast ? 5 : 0;
      }),
  },
  oracle: (params, inputs) => ({ ...oracle(params, inputs) }),
  tolerance: () => 'equal',
});
