/** Faults of convolutions that are made otherwise than directly, and of norms applied on read. */
import { caseTest, group, kernelTest, type Mutant } from './mutant.ts';

const tests = kernelTest('conv2d');
const cases = caseTest('conv');

const gemm = group({ kernel: 'conv2d', tests: cases, only: '^conv2d .*f32 .*tileM' }, [
  {
    name: 'gemm-padding-value',
    fault: 'What lies past the border repeats the border instead of being zero.',
    find: 'select(0.0, x[at], inside)',
    replace: 'x[at]',
  },
  {
    name: 'gemm-filter-diagonal',
    fault: 'Filters take the row from the column.',
    find: 'i32(tap / 3u)',
    replace: 'i32(tap % 3u)',
  },
  {
    name: 'gemm-stride-padding',
    fault: 'Downsampling pads on the wrong side.',
    find: / \* 2 \+ i32\((.*)\);/g,
    replace: ' * 2 + i32($1) - 1;',
  },
]);

const onRead = group({ kernel: 'conv2d', tests: cases, only: '^conv2d .*norm=' }, [
  {
    name: 'norm-of-padding',
    fault: 'Padding is normalised: borders get the bias of the norm.',
    find: /select\(0\.0, normed\(x\[at\], (.*)\), inside\)/g,
    replace: 'normed(select(0.0, x[at], inside), $1)',
  },
  {
    name: 'norm-mean-dropped',
    fault: 'The norm forgets the mean.',
    find: '(v - affine.x)',
    replace: 'v',
  },
  {
    name: 'norm-activation-dropped',
    fault: 'The activation is missing.',
    find: 'h / (1.0 + exp(-h))',
    replace: 'h',
  },
  {
    name: 'norm-of-first-image',
    fault: 'All images of a batch are normalised like the first.',
    find: 'affine[batch *',
    replace: 'affine[0u *',
  },
]);

const parts = [
  ...group({ kernel: 'conv2d', tests, only: '^in ' }, [
    {
      name: 'parts-begin-at-zero',
      fault: 'Every part sums from the first channel.',
      find: /\(part(?: \* \d+u)? \+ s\)/g,
      replace: 's',
    },
  ]),
  ...group({ kernel: 'sum_parts', tests, only: '^in ' }, []),
];

const matrixTests = { tests: kernelTest('product-math'), only: "^'matrices 8x8x8" };
const matrices = group({ ...matrixTests, kernel: 'conv2d' }, [
  {
    name: 'matrix-slice-begins-again',
    fault: 'Subgroups multiply the first matrix of a slice over and over.',
    find: /depth \* (\d+u) \+ row/g,
    replace: '0u * $1 + row',
  },
  {
    name: 'matrix-first-columns',
    fault: 'All subgroups of a row of the tile make the same columns.',
    find: /subgroup % \d+u \* \d+u/g,
    replace: 'subgroup * 0u',
  },
  {
    name: 'matrix-stored-over-another',
    fault: 'The sums of a subgroup land where those of the one above belong.',
    find: /owner \/ \d+u \* \d+u \+ below/g,
    replace: 'below',
  },
  {
    name: 'matrix-below-dropped',
    fault: 'All matrices of a subgroup are stored over the first.',
    find: ' + below',
    replace: '',
  },
  {
    name: 'matrix-line-repeated',
    fault: 'One line of four is staged twice.',
    find: '= f32(value[3])',
    replace: '= f32(value[2])',
  },
]);

const halves = group({ kernel: 'conv2d', tests: kernelTest('product-math'), only: "^'halves" }, [
  {
    name: 'halves-columns-repeated',
    fault: 'The second quad of columns of an invocation is the first.',
    find: /let b1 = (vec4f\(right\[depth \* \d+u \+ column \+) \d+u/g,
    replace: 'let b1 = $1 0u',
  },
]);

const lineTests = { tests: kernelTest('conv-halves'), only: 'by emulated matrices' };
const ofHalves = group({ ...lineTests, kernel: 'conv_halves' }, [
  {
    name: 'of-halves-bias-rounded',
    fault: 'A bias is one half, not two.',
    find: 'vec2f(value, value - half)',
    replace: 'vec2f(value, 0.0)',
  },
  {
    name: 'of-halves-residual-elsewhere',
    fault: 'All matrices of a line begin with the residual of the first.',
    find: / = load_residual\((place_of\([^)]*),\s+pixel[^)]*\)/g,
    replace: ' = load_residual($1, pixel)',
  },
  {
    name: 'of-halves-even-filters',
    fault: 'Odd rows of a doubled map are made by the filters of even ones.',
    find: /\(batch % 2u \* (\d+u) \+ m\)/g,
    replace: '(0u * $1 + m)',
  },
  {
    name: 'of-halves-odd-rows',
    fault: 'Odd rows of a doubled map are stored over even ones.',
    find: /\(n \/ (\d+u) \+ batch % 2u\)/g,
    replace: '(n / $1)',
  },
]);

const affine = { tests: kernelTest('group-affine'), only: 'serial' };
const statistics = [
  ...group({ ...affine, kernel: 'group_moments' }, [
    {
      name: 'moments-raw-squares',
      fault: 'The variance forgets the mean.',
      find: '(v - mean) * (v - mean)',
      replace: 'v * v',
    },
  ]),
  ...group({ ...affine, kernel: 'group_affine' }, [
    {
      name: 'affine-short-chunk',
      fault: 'A short chunk weighs as much as a whole one.',
      find: /min\((\d+)u, COUNT - chunk \* \d+u\)/g,
      replace: '$1u',
    },
    {
      name: 'affine-weight-dropped',
      fault: 'The norm forgets its weights.',
      find: ' * weight[c]',
      replace: '',
    },
  ]),
];

const winogradTests = { tests: kernelTest('winograd'), only: '^f32' };
const winograd = [
  ...group({ ...winogradTests, kernel: 'winograd_input' }, [
    {
      name: 'winograd-padding-value',
      fault: 'What lies past the border repeats the border instead of being zero.',
      find: /select\(0\.0, (x\[[^\]]*\]), row_inside\d && column_inside\d\)/g,
      replace: '$1',
    },
    {
      name: 'winograd-upsample-place',
      fault: 'Doubled images move by a pixel.',
      find: /\) \* 2 - 1;/g,
      replace: ') * 2;',
    },
    {
      name: 'winograd-first-part',
      fault: 'Every part of a layer shows the first.',
      find: 'let tile = s.first +',
      replace: 'let tile = 0u +',
    },
  ]),
  ...group({ ...winogradTests, kernel: 'winograd_filter' }, [
    {
      name: 'winograd-filter-transposed',
      fault: 'A weight of a filter is another.',
      find: 'let w0_1 = weight_at(at + 1u)',
      replace: 'let w0_1 = weight_at(at + 3u)',
    },
  ]),
  ...group({ ...winogradTests, kernel: 'winograd_output' }, [
    {
      name: 'winograd-pixel-guard',
      fault: 'The end of a row runs over into the next (width no multiple of the tile).',
      find: /if \(first_[^{]*\) \{ (out[^}]*) \}/g,
      replace: '$1',
    },
  ]),
];

export const convolution: readonly Mutant[] = [
  ...gemm,
  ...onRead,
  ...parts,
  ...matrices,
  ...halves,
  ...ofHalves,
  ...statistics,
  ...winograd,
];
