/** Small seeded faults, each of which the tests must notice. */

export interface Mutant {
  readonly name: string;
  /** What goes wrong for a user. */
  readonly fault: string;
  /** Begins the label of the kernels that get the fault. Default: all kernels with the text. */
  readonly kernel?: string;
  /** WGSL text as the kernel has it; every occurrence is replaced (give a RegExp the flag g). */
  readonly find: string | RegExp;
  readonly replace: string;
  /** Test files of which one must fail. */
  readonly tests: readonly string[];
  /** Only tests whose names match (`vitest -t`): serial variants are the fastest on the CPU. */
  readonly only?: string;
}

/** The text of a kernel with the fault in it; the same text where the mutant does not apply. */
export function mutate({ kernel = '', find, replace }: Mutant, label: string, code: string): string {
  return label.startsWith(kernel) ? code.replaceAll(find, replace) : code;
}

type Shared = Pick<Mutant, 'kernel' | 'tests' | 'only'>;
type Own = Omit<Mutant, keyof Shared> & Partial<Shared>;

const group = (shared: Shared, own: readonly Own[]): Mutant[] =>
  own.map((mutant) => ({ ...shared, ...mutant }));

const kernelTest = (name: string): string[] => [`test/kernels/${name}.test.ts`];

const rope = group({ kernel: 'rope_cache', tests: kernelTest('rope-cache') }, [
  {
    name: 'rope-sign',
    fault: 'Positions turn vectors the wrong way: images lose their structure.',
    find: 'v.x * cs.x - v.y * cs.y',
    replace: 'v.x * cs.x + v.y * cs.y',
  },
  {
    name: 'rope-halves-swapped',
    fault: 'Grid rows and columns change places.',
    find: /rope\[position \* (\d+)u \+ d\]/g,
    replace: 'rope[position * $1u + (d + $1u / 2u) % $1u]',
  },
  {
    name: 'rope-second-pair',
    fault: 'The second pair of four turns by the angle of the first.',
    find: 'v.z * cs.z - v.w * cs.w',
    replace: 'v.z * cs.x - v.w * cs.y',
  },
  {
    name: 'rope-position-early',
    fault: 'Every token is turned to the place of the token before it.',
    find: /rope\[position \*/g,
    replace: 'rope[(max(position, 1u) - 1u) *',
  },
  {
    name: 'rope-not-on-keys',
    fault: 'Keys have no position.',
    find: 'd, rotate(a, position, d));',
    replace: 'd, a);',
  },
  {
    name: 'kv-write-position-late',
    fault: 'Keys and values are written one position too far.',
    find: /(kv_row\([01]u, slot, head - \d+u, position)\)/g,
    replace: '$1 + 1u)',
  },
  {
    name: 'kv-parts-swapped',
    fault: 'Values are stored as keys and keys as values.',
    find: '((part *',
    replace: '(((1u - part) *',
  },
  {
    name: 'kv-value-head',
    fault: 'Values go to the head after their own.',
    find: /kv_row\(1u, slot, head - (\d+)u/g,
    replace: 'kv_row(1u, slot, head + 1u - $1u',
  },
  {
    name: 'kv-past-end',
    fault: 'A sequence that has ended overwrites the cache of another.',
    find: /if \(position >= \d+u\) \{ return; \}/g,
    replace: '',
  },
  {
    name: 'kv-f16-halves',
    fault: 'An f16 cache swaps neighbouring pairs of values.',
    find: 'vec2u(pack2x16float(v.xy), pack2x16float(v.zw))',
    replace: 'vec2u(pack2x16float(v.zw), pack2x16float(v.xy))',
  },
]);

const qkv = group(
  { kernel: 'qkv_rope_cache', tests: kernelTest('qkv-rope-cache'), only: 'f32 .*serial' },
  [
    {
      name: 'qkv-rope-sign',
      fault: 'Decoding turns vectors the wrong way, prefill does not.',
      find: 'v.y * cs.x + v.x * cs.y',
      replace: 'v.y * cs.x - v.x * cs.y',
    },
    {
      name: 'qkv-kv-write-position-late',
      fault: 'Decoding writes keys and values one position too far.',
      find: /(kv_row\([01]u, slot, head - \d+u, position)\)/g,
      replace: '$1 + 1u)',
    },
    {
      name: 'qkv-norm-gain-dropped',
      fault: 'The attention norm forgets its weights.',
      find: /(let v\d+ = raw\d+) \* g;/g,
      replace: '$1;',
    },
    {
      name: 'qkv-norm-eps-dropped',
      fault: 'The attention norm forgets its epsilon.',
      find: '+ EPS',
      replace: '',
    },
  ],
);

const attention = group(
  { kernel: 'attention', tests: kernelTest('attention'), only: 'serial' },
  [
    {
      name: 'attention-not-own-position',
      fault: 'A token does not see itself; the first sees nothing.',
      find: 'j <= position',
      replace: 'j < position',
    },
    {
      name: 'attention-past-position',
      fault: 'A token sees one position of the future, or of an earlier image.',
      find: 'j <= position',
      replace: 'j <= position + 1u',
    },
    {
      name: 'attention-scale-dropped',
      fault: 'Attention is too sharp: scores are not divided by sqrt(headDim).',
      find: 'score *= SCALE;',
      replace: '',
    },
    {
      name: 'attention-mask-ignored',
      fault: 'Tokens attend to the padding of a caption.',
      find: /mask\[slot \* \d+u \+ column\] != 0u/g,
      replace: 'true',
      only: 'masked serial|serial padding',
    },
    {
      name: 'attention-own-column-masked',
      fault: 'Padding rows attend to nothing and become NaN.',
      find: 'column == position || ',
      replace: '',
      only: 'masked serial|serial padding',
    },
    {
      name: 'attention-kv-head',
      fault: 'Heads of grouped-query attention read the KV heads in turn, not in groups.',
      find: /(let head = \w+ % (\d+)u;[^}]*?})([^}]*?)head \/ (\d+)u, 0u([^}]*?)head \/ \d+u, 0u/g,
      replace: '$1$3head % ($2u / $4u), 0u$5head % ($2u / $4u), 0u',
    },
    {
      name: 'attention-one-slot',
      fault: 'All images of a batch attend to the cache of the first.',
      find: /\((part \* \d+u) \+ slot\)/g,
      replace: '($1)',
    },
    {
      name: 'attention-values-are-keys',
      fault: 'Attention mixes keys where it should mix values.',
      find: 'kv_row(1u',
      replace: 'kv_row(0u',
    },
    {
      name: 'attention-online-fade',
      fault: 'A new highest score does not shrink what was summed before it.',
      find: /(sum\d+) = sum\d+ \* fade/g,
      replace: '$1 = $1',
    },
    {
      name: 'attention-parts-lost',
      fault: 'One split of the values of a workgroup is lost (GPU variant).',
      find: 'for (var s = 1u;',
      replace: 'for (var s = 2u;',
      only: 'f32 .* workgroup',
    },
    {
      name: 'reduce-step-lost',
      fault: 'A reduction over a workgroup skips its last step (GPU variant).',
      find: 'stride > 0u;',
      replace: 'stride > 1u;',
      only: 'f32 .* workgroup',
    },
  ],
);

const products = [
  ...group({ kernel: 'linear', tests: kernelTest('linear'), only: '^f32 .*serial' }, [
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
      fault: 'Rows past the first eight are shifted by one.',
      find: /group\.z \* (\d+)u/g,
      replace: 'group.z * ($1u - 1u)',
    },
    {
      name: 'product-row-guard',
      fault: 'The last row of a batch is not written.',
      find: /if \(first \+ (\d+)u < (\d+)u\) \{ store/g,
      replace: 'if (first + $1u + 1u < $2u) { store',
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
      only: '^f16 .*serial$',
    },
    {
      name: 'linear-f16-odd-rows',
      fault: 'f16 weights of odd rows are off by one (inDim no multiple of 4).',
      find: '[(base + c) & 1u]',
      replace: '[c & 1u]',
      only: '^f16 .*serial$',
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
  ...group({ kernel: 'swiglu', tests: kernelTest('swiglu'), only: '^f32 .*serial' }, [
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

const guidance = group({ kernel: 'guidance', tests: kernelTest('guidance') }, [
  {
    name: 'cfg-sign',
    fault: 'Guidance pushes away from the class.',
    find: 'uncond + (cond - uncond)',
    replace: 'uncond - (cond - uncond)',
  },
  {
    name: 'cfg-swapped',
    fault: 'Conditional and unconditional logits change places.',
    find: 'uncond + (cond - uncond)',
    replace: 'cond + (uncond - cond)',
  },
  {
    name: 'cfg-neighbour',
    fault: 'Guidance uses the unconditional logits of the next image.',
    find: /sequence \+ (\d+)u, i/g,
    replace: '(sequence + 1u) % $1u + $1u, i',
  },
  {
    name: 'cfg-interval-early',
    fault: 'Guidance ends one token too early.',
    find: 'step - 1 <= how.cfg_interval',
    replace: 'step <= how.cfg_interval',
  },
  {
    name: 'cfg-interval-late',
    fault: 'Guidance ends one token too late.',
    find: 'step - 1 <= how.cfg_interval',
    replace: 'step - 2 <= how.cfg_interval',
  },
  {
    name: 'cfg-interval-condition-tokens',
    fault: 'Condition tokens count as image tokens in cfgInterval.',
    find: /i32\(place\[sequence\]\.y\) - \d+/g,
    replace: 'i32(place[sequence].y)',
  },
  {
    name: 'cfg-scale-one',
    fault: 'A scale of 1 rounds the conditional logits.',
    find: 'how.cfg_scale > 1.0',
    replace: 'how.cfg_scale >= 1.0',
  },
]);

const filter = group(
  { kernel: 'filter_logits', tests: kernelTest('filter-logits'), only: 'serial' },
  [
    {
      name: 'top-k-tie-dropped',
      fault: 'Of the tokens that tie at the k-th place only the first stays.',
      find: 'var spare = VOCAB;',
      replace: 'var spare = select(VOCAB, 1u, lowest > 0u);',
      only: 'serial ties',
    },
    {
      name: 'top-k-one-more',
      fault: 'Top-k keeps one token more.',
      find: 'pick.y, how.top_k)',
      replace: 'pick.y, how.top_k + 1u)',
    },
    {
      name: 'top-k-of-rounded-logits',
      fault: 'Top-k cannot tell near logits apart.',
      find: 'lowest = pick.x;\n  }',
      replace: 'lowest = pick.x & 0xffff0000u;\n  }',
    },
    {
      name: 'top-p-crossing-dropped',
      fault: 'Top-p leaves out the token that crosses p; with a small p nothing is left.',
      find: '/ mass + 1u;',
      replace: '/ mass;',
    },
    {
      name: 'top-p-ties-one-more',
      fault: 'Top-p keeps one token too many of those that tie at the cut.',
      find: '/ mass + 1u;',
      replace: '/ mass + 2u;',
      only: 'serial ties',
    },
    {
      name: 'top-p-not-renormalised',
      fault: 'What is left after top-p does not add up to 1.',
      find: /^ {4}total = .*;$/gm,
      replace: '',
    },
    {
      name: 'negative-zero',
      fault: 'Zero and negative zero do not tie.',
      find: 'select(bitcast<u32>(logit), 0u, logit == 0.0)',
      replace: 'bitcast<u32>(logit)',
      only: 'zero equals negative zero',
    },
    {
      name: 'negative-logits-order',
      fault: 'Among negative logits the lowest are kept.',
      find: '~bits,',
      replace: 'bits & 0x7fffffffu,',
    },
    {
      name: 'temperature-ignored',
      fault: 'The temperature does nothing.',
      find: '(logit - peak) / temperature',
      replace: '(logit - peak)',
    },
    {
      name: 'temperature-of-large-logits',
      fault: 'Large logits overflow.',
      find: '(logit - peak) / temperature',
      replace: 'logit / temperature',
    },
    {
      name: 'greedy-last-maximum',
      fault: 'Greedy decoding takes the last of equal maxima.',
      find: 'found == 0u && ',
      replace: '',
      only: 'serial ties',
    },
    {
      name: 'filter-one-sequence',
      fault: 'All images of a batch are sampled from the logits of the first.',
      find: 'return logits[sequence * VOCAB + token];',
      replace: 'return logits[token];',
    },
  ],
);

const draw = [
  ...group({ tests: kernelTest('philox') }, [
    {
      name: 'philox-round-missing',
      fault: 'Random numbers are not those of Philox4x32-10: seeds give other images.',
      find: 'round < 10u',
      replace: 'round < 9u',
    },
    {
      name: 'philox-key-schedule',
      fault: 'The second word of the key stays the same in all rounds.',
      find: 'vec2u(0x9e3779b9u, 0xbb67ae85u)',
      replace: 'vec2u(0x9e3779b9u, 0u)',
    },
    {
      name: 'philox-carry',
      fault: 'High halves of products lose a carry.',
      find: ' + (cross >> 16u)',
      replace: '',
    },
  ]),
  ...group({ kernel: 'draw_token', tests: kernelTest('draw-token'), only: 'serial' }, [
    {
      name: 'draw-step-ignored',
      fault: 'Every token of an image is drawn with the same random numbers.',
      find: 'vec4u(block, step,',
      replace: 'vec4u(block, 0u,',
    },
    {
      name: 'draw-block-ignored',
      fault: 'Every fourth token shares its random number.',
      find: 'vec4u(block, step,',
      replace: 'vec4u(0u, step,',
    },
    {
      name: 'draw-seed-high-word',
      fault: 'Seeds that differ above 32 bits give the same image.',
      find: 'how.seed)',
      replace: 'vec2u(how.seed.x, 0u))',
      only: 'serial seed and step',
    },
    {
      name: 'draw-uniform-race',
      fault: 'Unlikely tokens are drawn too often, or never.',
      find: /return select\(-log\(1\.0 - v\), series, v < [^)]*\);/g,
      replace: 'return v;',
    },
    {
      name: 'draw-forced-ignored',
      fault: 'Given tokens are overwritten.',
      find: 'if ((how.flags & FORCED) == 0u)',
      replace: 'if (true)',
    },
    {
      name: 'draw-conditional-rows-alone',
      fault: 'The unconditional half of the batch stays at the first position.',
      find: /row < \d+u; row \+= (\d+)u/g,
      replace: 'row < $1u; row += $1u',
    },
    {
      name: 'draw-full-grid-overwritten',
      fault: 'A finished image writes into the image after it.',
      find: / \|\| step >= \d+u/g,
      replace: '',
    },
    {
      name: 'draw-next-cell',
      fault: 'Tokens are one cell late in the grid.',
      find: /(tokens\[sequence \* \d+u \+ step)\]/g,
      replace: '$1 + 1u]',
    },
  ]),
];

const conv = group({ kernel: 'conv2d', tests: kernelTest('conv2d'), only: '^f32' }, [
  {
    name: 'conv-bias-dropped',
    fault: 'Convolutions forget their bias.',
    find: 'v[p] + b',
    replace: 'v[p]',
  },
  {
    name: 'conv-residual-dropped',
    fault: 'Residual blocks forget their input.',
    find: ' + residual[at + p]',
    replace: '',
  },
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
    find: / && inside\d+\)/g,
    replace: ')',
  },
  {
    name: 'conv-stride-padding',
    fault: 'Downsampling pads on the wrong side.',
    find: 'i32(out_y) * 2 + ky - 0',
    replace: 'i32(out_y) * 2 + ky - 1',
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
    only: '^f16',
  },
]);

const norms = group({ kernel: 'group_norm', tests: kernelTest('group-norm'), only: 'serial' }, [
  {
    name: 'group-norm-eps-dropped',
    fault: 'A constant group becomes NaN.',
    find: ' + EPS',
    replace: '',
  },
  {
    name: 'group-norm-weight-dropped',
    fault: 'GroupNorm forgets its weights.',
    find: ' * weight[c]',
    replace: '',
  },
  {
    name: 'group-norm-bias-dropped',
    fault: 'GroupNorm forgets its bias.',
    find: ' + bias[c]',
    replace: '',
  },
  {
    name: 'group-norm-first-channel',
    fault: 'All channels of a group get the weights of its first.',
    find: 'channel + i / PLANE',
    replace: 'channel',
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
    find: /(inverseSqrt\(\S+ \/ f32\()(\d+)\)/g,
    replace: '$1max($2, 2) - 1)',
  },
  {
    name: 'group-norm-swish-dropped',
    fault: 'The activation is missing.',
    find: 'v / (1.0 + exp(-v))',
    replace: 'v',
  },
]);

const spatial = [
  ...group({ kernel: 'spatial_scores', tests: kernelTest('spatial-attention') }, [
    {
      name: 'spatial-scale-dropped',
      fault: 'Attention over pixels is too sharp.',
      find: 'v[t] * SCALE',
      replace: 'v[t]',
    },
    {
      name: 'spatial-scores-transposed',
      fault: 'Softmax runs over the queries instead of the keys.',
      find: 'out[at + t]',
      replace: 'out[(image * PIXELS + j + t) * PIXELS + i]',
    },
  ]),
  ...group({ kernel: 'spatial_mix', tests: kernelTest('spatial-attention') }, [
    {
      name: 'spatial-mix-transposed',
      fault: 'Pixels give their share instead of taking it.',
      find: /probs\[row(\d) \+ j\]/g,
      replace: 'probs[(image * PIXELS + j) * PIXELS + min(i + $1u, PIXELS - 1u)]',
    },
    {
      name: 'spatial-mix-first-image',
      fault: 'All images of a batch are mixed from the pixels of the first.',
      find: /\(image \* CHANNELS \+ min/g,
      replace: '(min',
    },
  ]),
  ...group({ kernel: 'softmax_rows', tests: kernelTest('spatial-attention'), only: 'serial' }, [
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
  ]),
];

const codes = [
  ...group({ kernel: 'codebook_lookup', tests: kernelTest('codebook-lookup') }, [
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
  ]),
  ...group({ kernel: 'nearest_code', tests: kernelTest('nearest-code') }, [
    {
      name: 'nearest-last-of-ties',
      fault: 'The last of equally near codes is taken.',
      find: 'distance < shortest',
      replace: 'distance <= shortest',
    },
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
  ]),
  ...group({ kernel: 'to_rgba', tests: kernelTest('to-rgba') }, [
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
  ]),
];

/** Faults that the comparison with the official code must notice without the help of our oracles. */
const golden = group({ tests: ['test/golden.test.ts'], only: 'serial c2i_odd_gqa' }, []);

export const mutants: readonly Mutant[] = [
  ...rope,
  ...qkv,
  ...attention,
  ...products,
  ...forward,
  ...guidance,
  ...filter,
  ...draw,
  ...conv,
  ...norms,
  ...spatial,
  ...codes,
  ...golden,
];
