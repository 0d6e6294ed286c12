import { type AttentionParams, attention as kernel } from '../../../kernels/attention/attention.ts';
import { PORTABLE, type Variant } from '../../../kernels/kernel.ts';
import { type AttentionInputs, attention as oracle } from '../../oracle/attention.ts';
import { VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record } from '../record.ts';
import { attentionInputs } from './inputs.ts';

const cases: readonly AttentionParams[] = [
  { rows: 1, nHead: 1, nKvHead: 1, headDim: 4, slots: 1, positions: 1 },
  { rows: 2, nHead: 3, nKvHead: 3, headDim: 12, slots: 2, positions: 9 },
  { rows: 5, nHead: 4, nKvHead: 2, headDim: 36, slots: 3, positions: 65 },
  { rows: 9, nHead: 6, nKvHead: 1, headDim: 64, slots: 2, positions: 130 },
  { rows: 17, nHead: 2, nKvHead: 2, headDim: 100, slots: 4, positions: 33 },
  { rows: 2, nHead: 1, nKvHead: 1, headDim: 260, slots: 2, positions: 20 },
  { rows: 3, nHead: 2, nKvHead: 1, headDim: 16, slots: 3, positions: 33, padded: true },
  { rows: 16, nHead: 2, nKvHead: 2, headDim: 8, slots: 2, positions: 70, padded: true },
  // More columns than a workgroup takes at once.
  { rows: 3, nHead: 1, nKvHead: 1, headDim: 16, slots: 1, positions: 700 },
];
const [, , , grouped, wide, , padded] = cases as readonly [
  AttentionParams,
  AttentionParams,
  AttentionParams,
  AttentionParams,
  AttentionParams,
  AttentionParams,
  AttentionParams,
];
/** Five reads of eight halves: some invocations of a span have fewer than others. */
const uneven: AttentionParams = {
  ...{ rows: 4, nHead: 2, nKvHead: 2, headDim: 40, slots: 2, positions: 21 },
};

const SERIAL: Variant = { ...PORTABLE, reduce: 'serial' };
const of = (kvDtype: 'f32' | 'f16', sizes: readonly AttentionParams[]): AttentionParams[] =>
  sizes.map((params) => ({ ...params, kvDtype }));

export const attention: KernelRecord<AttentionParams> = record<AttentionParams, AttentionInputs>({
  name: 'attention',
  kernel: (params) => kernel(params as AttentionParams & { padded: true }),
  shown: { rows: 2, nHead: 12, nKvHead: 12, headDim: 64, slots: 2, positions: 577 },
  suites: [
    {
      // A serial kernel keeps the head in registers, which no compiler likes at 260.
      variants: [SERIAL],
      cases: of(
        'f32',
        cases.filter(({ headDim }) => headDim <= 128),
      ),
    },
    {
      variants: VARIANTS.filter(({ reduce }) => reduce !== 'serial'),
      cases: of('f32', cases),
      few: 2,
    },
    // f16 differs in how the cache is read alone.
    { variants: VARIANTS, cases: of('f16', [...cases.slice(2, 5), uneven]), few: 2 },
    {
      variants: [SERIAL],
      cases: [
        { ...grouped, tile: { size: 16 } },
        { ...padded, tile: { keys: 2 } },
        { ...uneven, kvDtype: 'f16', tile: { keys: 4 } },
      ],
    },
    {
      variants: [PORTABLE],
      cases: [
        // More groups of four in a head than invocations.
        { ...wide, tile: { size: 16, span: 8, keys: 2 } },
        // One span alone, of more invocations than there are reads.
        { ...wide, tile: { size: 32, span: 32 } },
        { ...padded, tile: { size: 128, span: 2, keys: 1 } },
        // A key for each invocation.
        { ...grouped, kvDtype: 'f16', tile: { size: 32, span: 1 } },
      ],
      few: 1,
    },
    {
      variants: [PORTABLE],
      cases: [
        { ...wide, kvDtype: 'f16', tile: { size: 32, span: 8, keys: 2, ahead: 1 } },
        { ...padded, tile: { size: 64, keys: 4, ahead: 2 } },
      ],
      few: 1,
    },
    {
      // Spans of a subgroup are put together before those of a workgroup.
      variants: VARIANTS.filter(({ reduce }) => reduce === 'subgroup'),
      cases: [
        { ...uneven, kvDtype: 'f16', tile: { size: 8, span: 2, keys: 1, ahead: 2 } },
        { ...padded, tile: { size: 128, span: 1, keys: 1 } },
        { ...uneven, tile: { size: 4, span: 2, keys: 4 } },
      ],
      few: 1,
    },
  ],
  texts: (['f32', 'f16'] as const).flatMap((kvDtype) => {
    const cache = { slots: 3, nKvHead: 2, positions: 17, headDim: 20, kvDtype };
    return [
      { ...cache, rows: 3, nHead: 4 },
      { ...cache, rows: 5, nHead: 2, padded: true },
    ];
  }),
  inputs: attentionInputs,
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Scores are f32 sums; an error of 1e-6 in a score is one of 1e-6 in its weight.
  tolerance: () => ({ nmse: 1e-11, max: 2e-5 }),
});
