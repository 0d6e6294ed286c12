import {
  type GroupAffineParams,
  groupAffine as kernel,
} from '../../../kernels/norm/group-affine.ts';
import { type GroupAffineInputs, groupAffine as oracle } from '../../oracle/group-affine.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

/** Chunks of moments [images, groups, chunks, 2]. */
const chunksOf = ({ channels, height, width, groups = 32 }: GroupAffineParams): number => {
  const count = (channels / groups) * height * width;
  return Math.ceil(count / Math.max(2048, Math.ceil(count / 64)));
};

export const groupAffine: KernelRecord<GroupAffineParams> = record<
  GroupAffineParams,
  GroupAffineInputs
>({
  name: 'group_affine',
  kernel,
  shown: { images: 1, channels: 256, height: 96, width: 96 },
  suites: [
    {
      // Groups of one chunk and of several, the last of them short.
      cases: [
        { images: 1, channels: 32, height: 1, width: 1 },
        { images: 2, channels: 96, height: 3, width: 4 },
        { images: 2, channels: 6, height: 37, width: 43, groups: 3 },
        { images: 1, channels: 4, height: 64, width: 33, groups: 1, eps: 0.1 },
      ],
    },
  ],
  texts: [{ images: 2, channels: 64, height: 3, width: 5 }],
  inputs: {
    // Any means, and sums of squares above zero.
    moments: (params) => {
      const length = 2 * params.images * (params.groups ?? 32) * chunksOf(params);
      return normal(length, 4).map((v, i) => (i % 2 === 0 ? v : 100 + 10 * v));
    },
    weight: ({ channels }) => normal(channels, 2, 0.5, 1),
    bias: ({ channels }) => normal(channels, 3),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // As for group_norm.
  tolerance: () => ({ nmse: 1e-10, max: 1e-4 }),
});
