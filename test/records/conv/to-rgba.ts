import { toRgba as kernel, type ToRgbaParams } from '../../../kernels/conv/to-rgba.ts';
import { toRgba as oracle } from '../../oracle/to-rgba.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

export const toRgba: KernelRecord<ToRgbaParams> = record<
  ToRgbaParams,
  Parameters<typeof oracle>[1]
>({
  name: 'to_rgba',
  kernel,
  shown: { images: 1, height: 384, width: 384 },
  suites: [
    {
      cases: [
        { images: 1, height: 1, width: 1 },
        { images: 2, height: 3, width: 5 },
        { images: 1, height: 16, width: 17 },
      ],
    },
  ],
  texts: [{ images: 2, height: 3, width: 5 }],
  inputs: {
    // Multiples of 1/1024 make 127.5 v + 128 exact in f32, so bytes must be equal.
    image: ({ images, height, width }) =>
      normal(images * 3 * height * width, 1, 0.6).map((v) => Math.round(v * 1024) / 1024),
  },
  oracle: (params, inputs) => ({ rgba: oracle(params, inputs) }),
  tolerance: () => 'equal',
});
