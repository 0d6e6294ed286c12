/** Faults of the VQ kernels. */
import { caseTest, group, kernelTest, type Mutant } from './mutant.ts';

const direct = { kernel: 'conv_direct', tests: caseTest('conv'), only: '^conv_direct .*f32' };
const conv = group(direct, [
  {
    name: 'conv-upsample-after-shift',
    fault: 'Rows are doubled before the filter is placed: its outer rows are off by one.',
    find: '(i32(out_y) + ky - 1) >> 1u',
    replace: '(i32(out_y) >> 1u) + ky - 1',
  },
  {
    name: 'conv-upsample-swapped',
    fault: 'Upsampling takes the row from the column.',
    find: '(i32(out_y) + ky - 1) >> 1u',
    replace: '(i32(out_x) + ky - 1) >> 1u',
  },
  {
    name: 'conv-padding-side',
    fault: 'The image moves down by one row.',
    find: 'i32(out_y) + ky - 1',
    replace: 'i32(out_y) + ky - 2',
  },
  {
    name: 'conv-padding-value',
    fault: 'Columns past the border repeat the border instead of being zero.',
    find: 'select(0.0, value, column >= 0 && column < COLUMNS)',
    replace: 'value',
  },
  {
    name: 'conv-stride-padding',
    fault: 'Downsampling pads on the wrong side.',
    find: 'i32(out_y) * 2 + ky;',
    replace: 'i32(out_y) * 2 + ky - 1;',
  },
  {
    name: 'conv-filter-mirrored',
    fault: 'Filters are mirrored from left to right.',
    find: /let w0 = (.*);(\s+)let w1 = (.*);\s+let w2 = (.*);/g,
    replace: 'let w0 = $4;$2let w1 = $3;$2let w2 = $1;',
  },
  {
    name: 'conv-pixel-guard',
    fault: 'The end of a row runs over into the next (width no multiple of the tile).',
    find: 'min(count, 4)',
    replace: '4',
  },
  {
    name: 'conv-f16-odd-weights',
    fault: 'f16 filters that begin in a high half are off by one.',
    find: 'let odd = (i & 1u) == 1u;',
    replace: 'let odd = false;',
    only: '^conv_direct .*f16',
  },
]);

const norms = group(
  {
    kernel: 'group_norm',
    tests: [...caseTest('norm'), ...kernelTest('group-norm')],
    only: "^group_norm .*serial|^'?serial",
  },
  [
    {
      name: 'group-norm-weight-dropped',
      fault: 'GroupNorm forgets its weights.',
      find: ' * weight[c]',
      replace: '',
    },
    {
      name: 'group-norm-raw-squares',
      fault: 'The variance forgets the mean.',
      find: '(v - mean) * (v - mean)',
      replace: 'v * v',
    },
    {
      name: 'group-norm-sample-variance',
      fault: 'The variance is divided by one less than the number of values.',
      find: /(inverseSqrt\(sum_of_squares\([^)]*\) \/ f32\()(\d+)\)/g,
      replace: '$1max($2, 2) - 1)',
    },
    {
      name: 'group-norm-swish-dropped',
      fault: 'The activation is missing.',
      find: 'v / (1.0 + exp(-v))',
      replace: 'v',
    },
  ],
);

const products = { tests: caseTest('conv') };
const spatial = [
  ...group({ ...products, kernel: 'spatial_scores', only: '^spatial_scores .*serial' }, [
    {
      name: 'spatial-scale-dropped',
      fault: 'Attention over pixels is too sharp.',
      find: /sum \* f32\([^)]*\)/g,
      replace: 'sum',
    },
    {
      name: 'spatial-scores-transposed',
      fault: 'Softmax runs over the queries instead of the keys.',
      find: '* sizes.m + m) * sizes.n + n',
      replace: '* sizes.m + n) * sizes.n + m',
    },
    {
      name: 'quads-row-of-another',
      fault: 'An invocation multiplies with the rows of the wrong neighbour.',
      find: 'quadSwapY(',
      replace: 'quadSwapX(',
    },
    {
      name: 'quads-last-step-dropped',
      fault: 'The last four channels are left out.',
      find: 'k < whole; k += 4u',
      replace: 'k + 4u < whole; k += 4u',
    },
    {
      name: 'quads-rest-dropped',
      fault: 'Channels beyond the last four are left out.',
      find: 'k < s.k; k++',
      replace: 'k < whole; k++',
    },
  ]),
  ...group({ ...products, kernel: 'spatial_mix', only: '^spatial_mix .*tileM=16' }, [
    {
      name: 'spatial-mix-transposed',
      fault: 'Pixels give their share instead of taking it.',
      find: /probs_at\((.*) \+ line \* (\d+)u \+ k\)/g,
      replace: 'probs_at($1 + k * $2u + line)',
    },
    {
      name: 'spatial-mix-first-image',
      fault: 'All images of a batch are mixed from the pixels of the first.',
      find: 'v_at(batch * ',
      replace: 'v_at(0u * ',
    },
    {
      name: 'tile-past-the-end',
      fault: 'The last slice of a product counts its last values several times.',
      find: /k < \d+u && /g,
      replace: '',
    },
    {
      name: 'tile-rows-mixed',
      fault: 'Rows of a tile get the values of their neighbours.',
      find: 'a0[1] * b0',
      replace: 'a0[2] * b0',
    },
  ]),
  ...group(
    {
      kernel: 'softmax_rows',
      tests: [...caseTest('norm'), ...kernelTest('softmax-rows')],
      only: '^softmax_rows .*serial|huge.*serial',
    },
    [
      {
        name: 'softmax-overflow',
        fault: 'Large scores overflow.',
        find: ' - high)',
        replace: ')',
      },
      {
        name: 'softmax-wrong-axis',
        fault: 'Softmax runs over columns instead of rows.',
        find: /(if \(row >= (\d+)u\)[^}]*\}\s*let start = row)[^;]*;([\s\S]*)/g,
        replace: '$1;const R = $2u; $3',
      },
      {
        name: 'softmax-not-normalised',
        fault: 'The shares of a pixel do not add up to 1.',
        find: '- high) / sum',
        replace: '- high)',
      },
    ],
  ),
];

const codes = [
  ...group(
    {
      kernel: 'codebook_lookup',
      tests: [...caseTest('embed'), ...kernelTest('codebook-lookup')],
      only: '^codebook_lookup',
    },
    [
      {
        name: 'codebook-norm-dropped',
        fault: 'Codebook vectors keep their length: images are off in contrast.',
        find: /scale = 1\.0 \/ max\(sqrt\(square\), MIN_LENGTH\)/g,
        replace: 'scale = 1.0',
      },
      {
        name: 'codebook-unknown-code',
        fault: 'A token outside the codebook shows another one.',
        find: 'select(NAN_BITS, bits, known)',
        replace: 'bits',
      },
      {
        name: 'codebook-channels-last',
        fault: 'Vectors are stored pixel by pixel instead of channel by channel.',
        find: 'zq[at + e * POSITIONS]',
        replace: 'zq[unit * DIM + e]',
      },
      {
        name: 'codebook-f16-halves',
        fault: 'An f16 codebook swaps neighbouring values.',
        find: '(i & 1u)',
        replace: '(1u - (i & 1u))',
      },
    ],
  ),
  ...group(
    {
      kernel: 'nearest_code',
      tests: [...caseTest('embed'), ...kernelTest('nearest-code')],
      only: '^nearest_code',
    },
    [
      {
        name: 'nearest-latent-norm-dropped',
        fault: 'Latents keep their length beside normalised codes.',
        find: 'latent_scale = 1.0 / max(sqrt(latent_square), MIN_LENGTH)',
        replace: 'latent_scale = 1.0',
      },
      {
        name: 'nearest-code-norm-dropped',
        fault: 'Codes keep their length beside normalised latents.',
        find: 'code_scale = 1.0 / max(sqrt(square), MIN_LENGTH)',
        replace: 'code_scale = 1.0',
      },
      {
        name: 'nearest-absolute-distance',
        fault: 'Distances are sums of differences, not of squares.',
        find: 'distance += d * d;',
        replace: 'distance += abs(d);',
      },
    ],
  ),
  ...group(
    { kernel: 'to_rgba', tests: [...caseTest('conv'), ...kernelTest('to-rgba')], only: '^to_rgba' },
    [
      {
        name: 'rgba-rounding',
        fault: 'Pixels are rounded down instead of to the nearest.',
        find: '+ 128.0',
        replace: '+ 127.5',
      },
      {
        name: 'rgba-transparent',
        fault: 'Images are transparent.',
        find: ' | (255u << 24u)',
        replace: '',
      },
      {
        name: 'rgba-red-blue',
        fault: 'Red and blue change places.',
        find: 'bytes.r | (bytes.g << 8u) | (bytes.b << 16u)',
        replace: 'bytes.b | (bytes.g << 8u) | (bytes.r << 16u)',
      },
      {
        name: 'rgba-clamp-dropped',
        fault: 'Colours that are too bright run into the next channel.',
        find: /vec3u\(clamp\((.*), vec3f\(0\.0\), vec3f\(255\.0\)\)\)/g,
        replace: 'vec3u($1)',
      },
    ],
  ),
];

export const tokenizer: readonly Mutant[] = [...conv, ...norms, ...spatial, ...codes];
