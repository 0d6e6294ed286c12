import {
  type GroupMomentsParams,
  groupMoments as kernel,
} from '../../../kernels/norm/group-moments.ts';
import { groupMoments as oracle } from '../../oracle/group-affine.ts';
import { normal } from '../../support/random.ts';
import { VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record } from '../record.ts';

/** Groups of one chunk and of several, the last of them short. */
const cases: readonly GroupMomentsParams[] = [
  { images: 2, channels: 96, height: 3, width: 4 },
  { images: 1, channels: 6, height: 37, width: 43, groups: 3 },
  { images: 1, channels: 32, height: 1, width: 1 },
];
/** Chunks for 256 invocations. */
const large: GroupMomentsParams = { images: 1, channels: 2, height: 300, width: 300, groups: 1 };
const withBarriers = VARIANTS.filter(({ reduce }) => reduce !== 'serial');

export const groupMoments: KernelRecord<GroupMomentsParams> = record<
  GroupMomentsParams,
  Parameters<typeof oracle>[1]
>({
  name: 'group_moments',
  kernel,
  shown: { images: 1, channels: 256, height: 96, width: 96 },
  suites: [
    { variants: VARIANTS, cases, few: 1 },
    { variants: withBarriers, cases: [large], few: 1 },
  ],
  texts: [{ images: 2, channels: 64, height: 3, width: 5 }],
  inputs: {
    x: ({ images, channels, height, width }) =>
      normal(images * channels * height * width, 1, 0.5, 20),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Means of 20 are good to 1e-5 and better; sums of 2048 squares of 0.5, about 500, to 1e-6 of that.
  tolerance: () => ({ nmse: 1e-11, max: 1e-3 }),
});
