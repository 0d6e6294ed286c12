import { type Conv2dParams, conv2d as kernel } from '../../../kernels/conv/conv2d.ts';
import { PORTABLE, type Variant } from '../../../kernels/kernel.ts';
import type { Conv2dInputs } from '../../oracle/conv2d.ts';
import { SERIAL_LANES } from '../../support/variants.ts';
import { type KernelRecord, record } from '../record.ts';
import { casesIn, convTexts, normCases, odd, ofConv } from './conv-cases.ts';

const SERIAL: Variant = { ...PORTABLE, reduce: 'serial' };

/** A tile that layers are larger than. */
export const SMALL = { tileM: 16, tileN: 16, eachM: 4, eachN: 4, slice: 16 } as const;
const small = (all: readonly Conv2dParams[]): readonly Conv2dParams[] =>
  all.map((params) => ({ ...params, tile: SMALL }));

const dtypes = ['f32', 'f16'] as const;
/** 1x1 filters are products of maps, whose loop the cases of `spatial_scores` cover. */
const points: readonly Conv2dParams[] = dtypes.flatMap((dtype) => [
  { ...odd, height: 3, width: 9, residual: true, kernelSize: 1, dtype },
  // More channels than a group of four.
  { images: 1, inChannels: 13, outChannels: 6, height: 2, width: 5, kernelSize: 1, dtype },
]);
const ownTile: readonly Conv2dParams[] = dtypes.map((dtype) => ({
  ...{ ...odd, height: 3, width: 9, residual: true, kernelSize: 3, dtype },
}));

export const conv2d: KernelRecord<Conv2dParams> = record<Conv2dParams, Conv2dInputs>({
  name: 'conv2d',
  kernel,
  shown: {
    ...{ images: 1, inChannels: 128, outChannels: 128, height: 96, width: 96 },
    ...{ kernelSize: 3, norm: 'swish', residual: true },
  },
  suites: [
    { variants: [PORTABLE], cases: small(casesIn('f32')), few: 6 },
    { variants: [PORTABLE], cases: small(casesIn('f16')), few: 6 },
    { variants: [SERIAL, SERIAL_LANES, PORTABLE], cases: points },
    { variants: [PORTABLE], cases: ownTile },
    { variants: [PORTABLE], cases: small(normCases) },
  ],
  texts: convTexts,
  ...ofConv,
});
