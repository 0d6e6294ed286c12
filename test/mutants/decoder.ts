/** Faults of norms, the feed-forward layer and embeddings. */
import { caseTest, group, kernelTest, type Mutant } from './mutant.ts';

export const decoder: readonly Mutant[] = [
  ...group(
    {
      kernel: 'rms_norm',
      tests: [...caseTest('norm'), ...kernelTest('rms-norm')],
      only: "^rms_norm .*serial|^'?serial",
    },
    [
      {
        name: 'rms-norm-sum-for-mean',
        fault: 'Values are too small: the sum of squares is not divided by the dimension.',
        find: / \/ f32\(\d+\) \+ EPS/g,
        replace: ' + EPS',
      },
      {
        name: 'rms-norm-gain-dropped',
        fault: 'A norm forgets its weights.',
        find: ' * gain_at(0u, i)',
        replace: '',
      },
    ],
  ),
  ...group({ kernel: 'swiglu', tests: caseTest('product'), only: '^swiglu .*f32 .*serial' }, [
    {
      name: 'swiglu-sigmoid',
      fault: 'The gate is sigmoid, not silu.',
      find: 'return v / (1.0 + exp(-v));',
      replace: 'return 1.0 / (1.0 + exp(-v));',
    },
    {
      name: 'swiglu-gates-swapped',
      fault: 'w1 and w3 change places.',
      find: 'silu(a) * b',
      replace: 'silu(b) * a',
    },
    {
      name: 'swiglu-one-weight',
      fault: 'w1 is used in place of w3.',
      find: /= w3_at\(/g,
      replace: '= w1_at(',
    },
  ]),
  ...group({ kernel: 'silu_mul', tests: caseTest('product'), only: '^silu_mul' }, [
    {
      name: 'silu-mul-gate-alone',
      fault: 'Prefill forgets the second factor of the feed-forward layer.',
      find: ' * up_at(row, i)',
      replace: '',
    },
  ]),
  ...group({ kernel: 'embed', tests: kernelTest('embed') }, [
    {
      name: 'embed-own-token',
      fault: 'The input is the token to be drawn, not the one before it.',
      find: '+ position - 1u]',
      replace: '+ position]',
    },
    {
      name: 'embed-first-label',
      fault: 'All images of a batch get the class of the first.',
      find: 'labelTable_at(line, i)',
      replace: 'labelTable_at(0u, i)',
    },
    {
      name: 'embed-first-of-caption',
      fault: 'All tokens of a caption are its first.',
      find: 'stands.condition + position',
      replace: 'stands.condition',
    },
    {
      name: 'embed-label-row',
      fault: 'Every class is the class after it.',
      find: 'labelTable_at(line, i)',
      replace: 'labelTable_at(line + 1u, i)',
    },
    {
      name: 'embed-token-unchecked',
      fault: 'A token outside the vocabulary is some other token.',
      find: /if \(index < \d+u\) \{\s+v = tokenTable/g,
      replace: 'if (true) { v = tokenTable',
    },
  ]),
];
