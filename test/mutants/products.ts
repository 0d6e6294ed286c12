/** Faults of products of rows with a weight, whole and in parts. */
import { caseTest, group, kernelTest, type Mutant } from './mutant.ts';

const whole = [
  ...group({ kernel: 'linear', tests: caseTest('product'), only: '^linear .*dtype=f32 .*serial' }, [
    {
      name: 'product-last-quad',
      fault: 'A sum leaves out its last four terms.',
      find: /k < (\d+)u; k \+=/g,
      replace: 'k < max($1u, 2u) - 1u; k +=',
    },
    {
      name: 'product-row-tile',
      fault: 'Rows past the first tile are shifted by one.',
      find: /(let first = tile % \d+u \* )(\d+)u/g,
      replace: '$1($2u - 1u)',
    },
    {
      name: 'product-row-guard',
      fault: 'The last row of a batch is not written.',
      find: /row < (\d+)u && i </g,
      replace: 'row + 1u < $1u && i <',
    },
    {
      name: 'product-part-dropped',
      fault: 'The last part of a sum is left out.',
      find: /part < (\d+)u; part\+\+/g,
      replace: 'part < $1u - 1u; part++',
      only: '^linear .*dtype=f32 .*workgroup',
    },
    {
      name: 'linear-f16-halves',
      fault: 'f16 weights are read in the wrong order.',
      find: 'vec4f(unpack2x16float(words[0]), unpack2x16float(words[1]))',
      replace: 'vec4f(unpack2x16float(words[1]), unpack2x16float(words[0]))',
      only: '^linear .*dtype=f16 .*serial$',
    },
    {
      name: 'linear-f16-wide-halves',
      fault: 'Of eight f16 weights the second four are in the wrong order.',
      find: 'vec4f(unpack2x16float(words[2]), unpack2x16float(words[3]))',
      replace: 'vec4f(unpack2x16float(words[3]), unpack2x16float(words[2]))',
      only: '^linear .*dtype=f16 .*serial$',
    },
    {
      name: 'linear-f16-odd-rows',
      fault: 'f16 weights of odd rows are off by one (inDim no multiple of 4).',
      find: '(16u * (at & 1u))',
      replace: '(16u * (c & 1u))',
      only: '^linear .*dtype=f16 .*serial$',
    },
  ]),
  ...group({ kernel: 'linear', tests: caseTest('product') }, [
    {
      name: 'linear-bf16-halves',
      fault: 'bf16 weights are read in the wrong order.',
      find: 'vec4u(words[0] << 16u, words[0] & 0xffff0000u,',
      replace: 'vec4u(words[0] & 0xffff0000u, words[0] << 16u,',
      only: '^linear .*dtype=bf16 .*serial$',
    },
    {
      name: 'linear-bf16-wide-halves',
      fault: 'Of eight bf16 weights the second four are in the wrong order.',
      find: 'vec4u(words[2] << 16u, words[2] & 0xffff0000u,',
      replace: 'vec4u(words[2] & 0xffff0000u, words[2] << 16u,',
      only: '^linear .*dtype=bf16 .*serial$',
    },
    {
      name: 'linear-bf16-odd-rows',
      fault: 'bf16 weights of odd rows are off by one (inDim no multiple of 4).',
      find: '(16u * (at & 1u))',
      replace: '(16u * (c & 1u))',
      only: '^linear .*dtype=bf16 .*serial$',
    },
    {
      name: 'linear-int8-unsigned',
      fault: 'Negative int8 weights are large positive ones.',
      find: 'vec4f(bitcast<vec4i>(',
      replace: 'vec4f((',
      only: '^linear .*dtype=int8 .*serial$',
    },
    {
      name: 'linear-int8-reversed',
      fault: 'int8 weights are read from the high end of a word.',
      find: /vec4u\(24u, 16u, 8u,\s+0u\)/g,
      replace: 'vec4u(0u, 8u, 16u, 24u)',
      only: '^linear .*dtype=int8 .*serial$',
    },
    {
      name: 'linear-int4-zero',
      fault: 'Zero of an int4 weight is one step off.',
      find: '& vec4u(15u)) - 8)',
      replace: '& vec4u(15u)) - 7)',
      only: '^linear .*dtype=int4 .*serial$',
    },
    {
      name: 'linear-int4-high-half',
      fault: 'The upper four int4 weights of a word are the lower four again.',
      find: ' >> (16u * (i & 1u));',
      replace: ';',
      only: '^linear .*dtype=int4 .*serial$',
    },
    {
      name: 'linear-quant-row-scales',
      fault: 'All rows have the scales of the first.',
      find: /let group = row \* \d+u \+/g,
      replace: 'let group =',
      only: '^linear .*dtype=int4 .*serial$',
    },
    {
      name: 'linear-quant-odd-scale',
      fault: 'Every second scale is that of its neighbour.',
      find: ' >> (16u * (group & 1u))',
      replace: '',
      only: '^linear .*dtype=int4 .*serial$',
    },
  ]),
  ...group({ tests: kernelTest('parts'), only: 'serial' }, [
    {
      name: 'parts-overwrite-the-first',
      fault: 'Every part of a large weight writes the first columns.',
      find: /store\(([^,]+), \d+u \+ i,/g,
      replace: 'store($1, i,',
    },
    {
      name: 'parts-matmul-first',
      fault: 'Every part of a large weight writes the first columns in prefill.',
      kernel: 'matmul',
      find: /let i = \d+u \+ quad;/g,
      replace: 'let i = quad;',
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
  ...group({ kernel: 'matmul', tests: caseTest('product'), only: '^matmul .*f32 .*workgroup' }, [
    {
      name: 'matmul-tail',
      fault: 'Prefill leaves out the last four terms of every sum.',
      find: /found, k < (\d+)u/g,
      replace: 'found, k + 1u < max($1u, 2u)',
    },
  ]),
];

const inParts = group({ tests: caseTest('product'), only: '^linear_parts .*serial' }, [
  {
    name: 'product-parts-alike',
    fault: 'Every part sums the first values of a row.',
    kernel: 'linear_parts',
    find: /k = group\.z \* \d+u \+ share/g,
    replace: 'k = share',
  },
  {
    name: 'product-parts-overlap',
    fault: 'Parts go on to the end of the row: sums count values several times.',
    kernel: 'linear_parts',
    find: /k < min\(\(group\.z \+ 1u\) \* \d+u, (\d+u)\)/g,
    replace: 'k < $1',
  },
  {
    name: 'product-parts-stored-over',
    fault: 'The last part to end is stored in the place of the first.',
    kernel: 'linear_parts',
    find: /store\(group\.z \* \d+u \+ /g,
    replace: 'store(',
  },
]);

export const products: readonly Mutant[] = [...whole, ...inParts];
