/** Faults of products, norms, the feed-forward layer and embeddings. */
import { group, kernelTest, type Mutant } from './mutant.ts';

const products = [
  ...group({ kernel: 'linear', tests: kernelTest('linear'), only: "^'?f32'? .*serial" }, [
    {
      name: 'product-column-guard',
      fault: 'The last columns of a row run over into the next row (outDim no multiple of 4).',
      find: /c < min\(4u, \d+u - i \* 4u\)(; c\+\+\) \{ out\[)/g,
      replace: 'c < 4u$1',
    },
    {
      name: 'product-tail-of-row',
      fault: 'A sum takes values of the next row (inDim no multiple of 4).',
      find: /c < min\(4u, \d+u - i \* 4u\)(; c\+\+\) \{ v\[)/g,
      replace: 'c < 4u$1',
    },
    {
      name: 'product-last-quad',
      fault: 'A sum leaves out its last four terms.',
      find: /k < (\d+)u; k \+=/g,
      replace: 'k < max($1u, 2u) - 1u; k +=',
    },
    {
      name: 'product-row-tile',
      fault: 'Rows past the first tile are shifted by one.',
      find: /(let first = \(tile % \d+u\) \* )(\d+)u/g,
      replace: '$1($2u - 1u)',
    },
    {
      name: 'product-row-guard',
      fault: 'The last row of a batch is not written.',
      find: /(&& first \+ \(item \+ \d+u\) \/ \d+u) < (\d+)u/g,
      replace: '$1 + 1u < $2u',
    },
    {
      name: 'product-span-halves',
      fault: 'Neighbours give away the halves of their sums that they should keep.',
      find: /select\((\w+), (\w+), high2\) \+/g,
      replace: 'select($2, $1, high2) +',
      only: "^'?f32'? .*serial lanes",
    },
    {
      name: 'product-span-item',
      fault: 'Sums that a neighbour holds are stored in the place of others.',
      find: /item \+= select\(0u, (\d+)u, high1\);/g,
      replace: '',
      only: "^'?f32'? .*serial lanes",
    },
    {
      name: 'product-span-norm',
      fault: 'The norm is that of a quarter of the row.',
      find: /square(\d+) \+= subgroupShuffleXor\(square\1, \d+u\);/g,
      replace: '',
      only: "^'?f32'? .*serial lanes",
    },
    {
      name: 'product-part-dropped',
      fault: 'The last part of a sum is left out.',
      find: /p < (\d+)u; p\+\+/g,
      replace: 'p < $1u - 1u; p++',
      only: "^'?f32'? .*workgroup",
    },
    {
      name: 'linear-residual-dropped',
      fault: 'A layer forgets its input.',
      find: ' + residual_at(row, i)',
      replace: '',
    },
    {
      name: 'linear-norm-eps-dropped',
      fault: 'The norm before a product forgets its epsilon.',
      find: '+ EPS',
      replace: '',
    },
    {
      name: 'linear-f16-halves',
      fault: 'f16 weights are read in the wrong order.',
      find: 'vec4f(unpack2x16float(words.x), unpack2x16float(words.y))',
      replace: 'vec4f(unpack2x16float(words.y), unpack2x16float(words.x))',
      only: "^'?f16'? .*serial$",
    },
    {
      name: 'linear-f16-wide-halves',
      fault: 'Of eight f16 weights the second four are in the wrong order.',
      find: 'vec4f(unpack2x16float(words.z), unpack2x16float(words.w))',
      replace: 'vec4f(unpack2x16float(words.w), unpack2x16float(words.z))',
      only: "^'?f16'? .*serial$",
    },
    {
      name: 'linear-f16-odd-rows',
      fault: 'f16 weights of odd rows are off by one (inDim no multiple of 4).',
      find: '[(base + c) & 1u]',
      replace: '[c & 1u]',
      only: "^'?f16'? .*serial$",
    },
  ]),
  ...group({ kernel: 'linear', tests: kernelTest('linear') }, [
    {
      name: 'linear-bf16-halves',
      fault: 'bf16 weights are read in the wrong order.',
      find: 'vec4u(words.x << 16u, words.x & 0xffff0000u,',
      replace: 'vec4u(words.x & 0xffff0000u, words.x << 16u,',
      only: "^'?bf16'? .*serial$",
    },
    {
      name: 'linear-bf16-wide-halves',
      fault: 'bf16 weights are paired with the wrong neighbours.',
      find: 'vec4f(low.z, high.z, low.w, high.w)',
      replace: 'vec4f(low.z, low.w, high.z, high.w)',
      only: "^'?bf16'? .*serial$",
    },
    {
      name: 'linear-int8-wide-halves',
      fault: 'Of eight int8 weights the second four are the first four again.',
      find: 'vec4u(words.y)',
      replace: 'vec4u(words.x)',
      only: "^'?int8'? .*serial$",
    },
    {
      name: 'linear-bf16-odd-rows',
      fault: 'bf16 weights of odd rows are off by one (inDim no multiple of 4).',
      find: '(16u * ((base + c) & 1u))',
      replace: '(16u * (c & 1u))',
      only: "^'?bf16'? .*serial$",
    },
    {
      name: 'linear-int8-unsigned',
      fault: 'Negative int8 weights are large positive ones.',
      find: 'vec4f(bitcast<vec4i>(',
      replace: 'vec4f((',
      only: "^'?int8'? .*serial$",
    },
    {
      name: 'linear-int8-reversed',
      fault: 'int8 weights are read from the high end of a word.',
      find: 'vec4u(24u, 16u, 8u, 0u)',
      replace: 'vec4u(0u, 8u, 16u, 24u)',
      only: "^'?int8'? .*serial$",
    },
    {
      name: 'linear-int4-zero',
      fault: 'Zero of an int4 weight is one step off.',
      find: '& vec4u(15u)) - 8)',
      replace: '& vec4u(15u)) - 7)',
      only: "^'?int4'? .*serial$",
    },
    {
      name: 'linear-int4-high-half',
      fault: 'The upper four int4 weights of a word are the lower four again.',
      find: ' >> (16u * (i & 1u))) >> vec4u(0u',
      replace: ') >> vec4u(0u',
      only: "^'?int4'? .*serial$",
    },
    {
      name: 'linear-quant-first-group',
      fault: 'All groups of a row have the scale of the first.',
      find: /(let s = row \* \d+u) \+ i \/ \d+u;/g,
      replace: '$1;',
      only: "^'?int8'? .*serial$",
    },
    {
      name: 'linear-quant-row-scales',
      fault: 'All rows have the scales of the first.',
      find: /let s = row \* \d+u \+/g,
      replace: 'let s =',
      only: "^'?int4'? .*serial$",
    },
    {
      name: 'linear-quant-odd-scale',
      fault: 'Every second scale is that of its neighbour.',
      find: ' >> (16u * (s & 1u))',
      replace: '',
      only: "^'?int4'? .*serial$",
    },
  ]),
  ...group({ tests: kernelTest('parts'), only: 'serial' }, [
    {
      name: 'parts-overwrite-the-first',
      fault: 'Every part of a large weight writes the first columns.',
      find: /store\((first \+ [^,]+), \d+u \+ unit/g,
      replace: 'store($1, unit',
    },
    {
      name: 'parts-matmul-first',
      fault: 'Every part of a large weight writes the first columns in prefill.',
      kernel: 'matmul',
      find: /(let i = group\.x \* \d+u \+ column) \+ \d+u;/g,
      replace: '$1;',
      only: 'matmul.*workgroup',
    },
    {
      name: 'parts-embed-overwrite',
      fault: 'A part of the token table erases the tokens of the parts before it.',
      kernel: 'embed',
      find: 'if (held) {',
      replace: 'if (true) {',
      only: 'embed',
    },
    {
      name: 'parts-embed-first-row',
      fault: 'Tokens of a later part of the table are looked up from its start.',
      kernel: 'embed',
      find: /\+ position - 1u\] - \d+u;/g,
      replace: '+ position - 1u];',
      only: 'embed',
    },
  ]),
  ...group({ kernel: 'matmul', tests: kernelTest('matmul'), only: '^f32 .*workgroup' }, [
    {
      name: 'matmul-tail',
      fault: 'Prefill leaves out the last four terms of every sum.',
      find: /if \(k < (\d+)u\)/g,
      replace: 'if (k + 1u < max($1u, 2u))',
    },
    {
      name: 'matmul-residual-dropped',
      fault: 'A layer forgets its input in prefill.',
      find: / \+ residual_at\(first \+ \du, i\)/g,
      replace: '',
      only: '^f32 .*residual.*workgroup',
    },
  ]),
];

const forward = [
  ...group({ kernel: 'rms_norm', tests: kernelTest('rms-norm'), only: 'serial' }, [
    {
      name: 'rms-norm-eps-dropped',
      fault: 'Rows of zeros become NaN.',
      find: '+ EPS',
      replace: '',
    },
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
  ]),
  ...group({ kernel: 'swiglu', tests: kernelTest('swiglu'), only: "^'?f32'? .*serial" }, [
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
  ...group({ kernel: 'silu_mul', tests: kernelTest('swiglu'), only: 'siluMul' }, [
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
      find: 'label[slot]',
      replace: 'label[0u]',
    },
    {
      name: 'embed-label-row',
      fault: 'Every class is the class after it.',
      find: 'labelTable_at(index, i)',
      replace: 'labelTable_at(index + 1u, i)',
    },
    {
      name: 'embed-unconditional-tokens',
      fault: 'Unconditional rows read the tokens of the last image.',
      find: /slot % (\d+)u/g,
      replace: 'min(slot, $1u - 1u)',
    },
    {
      name: 'embed-token-unchecked',
      fault: 'A token outside the vocabulary is some other token.',
      find: /if \(index < \d+u\) \{ v = tokenTable/g,
      replace: 'if (true) { v = tokenTable',
    },
  ]),
];

export const decoder: readonly Mutant[] = [...products, ...forward];
