/** Faults of the marks that kernels leave where numbers are not finite. */
import { group, kernelTest, type Mutant } from './mutant.ts';

const tokens = [
  ...group(
    { kernel: 'sample_token', tests: kernelTest('sample-token'), only: "'?serial'? no token" },
    [
      {
        name: 'sample-minus-infinity-drawn',
        fault: 'A logit that overflowed downwards counts as masked.',
        find: 'largest = max(largest, magnitude_of(logit))',
        replace:
          'largest = max(largest, select(magnitude_of(logit), 0u, bitcast<u32>(logit) == MINUS_INFINITY))',
      },
      {
        name: 'sample-large-refused',
        fault: 'Large logits are taken for infinite.',
        find: 'const INFINITE = 0x7f800000u',
        replace: 'const INFINITE = 0x7f000000u',
      },
    ],
  ),
  ...group({ kernel: 'draw_token', tests: kernelTest('draw-token'), only: "'?serial'? no token" }, [
    {
      name: 'draw-from-nothing',
      fault: 'Where no token has a chance the first is drawn.',
      find: ' || top <= 0.0',
      replace: '',
    },
  ]),
  ...group(
    { kernel: 'filter_logits', tests: kernelTest('filter-logits'), only: "'?serial'? no dist" },
    [
      {
        name: 'filter-broken-logits',
        fault: 'NaN and infinite logits leave a distribution of something.',
        find: 'if (f.broken || f.empty)',
        replace: 'if (f.empty)',
      },
      {
        name: 'filter-nothing-allowed',
        fault: 'With all tokens masked all probabilities are zero.',
        find: 'if (f.broken || f.empty)',
        replace: 'if (f.broken)',
      },
      {
        name: 'filter-lowest-is-masked',
        fault: 'The lowest finite logits count as masked.',
        find: ' || largest > 0u',
        replace: '',
      },
    ],
  ),
];

const pixels = [
  ...group({ kernel: 'to_rgba', tests: kernelTest('to-rgba'), only: 'not finite' }, [
    {
      name: 'rgba-not-finite',
      fault: 'A picture of NaN is grey or black, and no error.',
      find: /select\(word, 0u, .*\);/g,
      replace: 'word;',
    },
    {
      name: 'rgba-not-finite-blue',
      fault: 'Of the colours of a pixel only red and green are looked at.',
      find: 'vec4f(color, 0.0)',
      replace: 'vec4f(color.rg, 0.0, 0.0)',
    },
  ]),
  ...group({ kernel: 'nearest_code', tests: kernelTest('nearest-code'), only: 'not finite' }, [
    {
      name: 'nearest-to-nothing',
      fault: 'The first code is nearest to a latent that is NaN.',
      find: 'select(nearest, NO_TOKEN, largest >= INFINITE)',
      replace: 'select(nearest, 0u, largest >= INFINITE)',
    },
  ]),
];

const overflow = (kernel: string, test: string, only: string): Mutant => ({
  name: `${kernel.replaceAll(/[_ ]/g, '-')}-overflow`,
  fault: 'Values whose squares are too large for f32 become zero, or the bias.',
  kernel,
  tests: kernelTest(test),
  only,
  find: 'scale_or_nan(inverseSqrt',
  replace: '(inverseSqrt',
});

const norms = [
  overflow('rms_norm', 'rms-norm', 'overflow.* serial$'),
  overflow('linear norm', 'linear', '^rows whose squares'),
  overflow('group_norm', 'group-norm', 'overflow.* serial$'),
  overflow('group_affine', 'group-affine', 'overflow.* serial$'),
];

export const notFinite: readonly Mutant[] = [...tokens, ...pixels, ...norms];
