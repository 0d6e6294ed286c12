/** Faults of guidance, filters and draws. */
import { group, kernelTest, type Mutant } from './mutant.ts';

const guidance = group({ kernel: 'guidance', tests: kernelTest('guidance') }, [
  {
    name: 'cfg-swapped',
    fault: 'Conditional and unconditional logits change places.',
    find: 'uncond + (cond - uncond)',
    replace: 'cond + (uncond - cond)',
  },
  {
    name: 'cfg-neighbour',
    fault: 'Guidance uses the unconditional logits of the next image.',
    find: 'logits_at(own.uncond, i)',
    replace: 'logits_at(own.cond + 1u, i)',
  },
  {
    name: 'cfg-interval-condition-tokens',
    fault: 'Condition tokens count as image tokens in cfgInterval.',
    find: /\.position - \d+u;/g,
    replace: '.position;',
  },
]);

const filter = group(
  { kernel: 'filter_logits', tests: kernelTest('filter-logits'), only: 'serial' },
  [
    {
      name: 'top-k-tie-dropped',
      fault: 'Of the tokens that tie at the k-th place only the first stays.',
      find: 'f.lowest = threshold;',
      replace: '$& if (cuts_k) { f.final_token = nth_tie(own, threshold, 1u, lane); }',
      only: "'?serial'? ties",
    },
    {
      name: 'top-k-one-more',
      fault: 'Top-k keeps one token more.',
      find: 'settings.top_k, cuts_k',
      replace: 'settings.top_k + 1u, cuts_k',
    },
    {
      name: 'top-k-outside-its-share',
      fault: 'Logits outside of the share of the range that holds the k-th are counted twice.',
      find: ' && share_of(logit, f.low, scale) == choice.x',
      replace: '',
    },
    {
      name: 'top-k-of-rounded-logits',
      fault: 'Top-k cannot tell near logits apart.',
      find: 'logit_of(found.x)',
      replace: 'logit_of(found.x & 0xffff0000u)',
    },
    {
      name: 'top-p-ties-one-more',
      fault: 'Top-p keeps one token too many of those that tie at the cut.',
      find: '/ max(mass, 1u) + 1u;',
      replace: '/ max(mass, 1u) + 2u;',
      only: "'?serial'? ties",
    },
    {
      name: 'top-p-not-renormalised',
      fault: 'What is left after top-p does not add up to 1.',
      find: 'if (stage == 0u || cuts_p)',
      replace: 'if (stage == 0u)',
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
      find: '(logit - f.peak) / f.temperature',
      replace: '(logit - f.peak)',
    },
    {
      name: 'temperature-of-large-logits',
      fault: 'Large logits overflow.',
      find: '(logit - f.peak) / f.temperature',
      replace: 'logit / f.temperature',
    },
    {
      name: 'greedy-last-maximum',
      fault: 'Greedy decoding takes the last of equal maxima.',
      find: 'found = max(found, VOCAB - token);',
      replace: 'found = VOCAB - token;',
      only: "'?serial'? ties",
    },
    {
      name: 'filter-one-sequence',
      fault: 'All images of a batch are sampled from the logits of the first.',
      find: 'logits_at(own.sequence, i)',
      replace: 'logits_at(0u, i)',
    },
  ],
);

const draw = [
  ...group({ tests: kernelTest('philox') }, [
    {
      name: 'philox-key-schedule',
      fault: 'The second word of the key stays the same in all rounds.',
      find: 'vec2u(0x9e3779b9u, 0xbb67ae85u)',
      replace: 'vec2u(0x9e3779b9u, 0u)',
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
      find: 'settings.seed)',
      replace: 'vec2u(settings.seed.x, 0u))',
      only: "'?serial'? seed and step",
    },
    {
      name: 'draw-uniform-race',
      fault: 'Unlikely tokens are drawn too often, or never.',
      find: /return select\(-log\(1\.0 - v\), series, v < [^)]*\);/g,
      replace: 'return v;',
    },
  ]),
];

const whole = group({ kernel: 'sample_token', tests: kernelTest('sample-token'), only: 'serial' }, [
  {
    name: 'sample-unguided',
    fault: 'The sampler forgets guidance.',
    find: /return select\(uncond[^;]*;/g,
    replace: 'return cond;',
  },
  {
    name: 'sample-unfiltered',
    fault: 'Tokens are drawn before top-k is applied.',
    find: 'leader = race(leader, i, p, step, settings.seed);',
    replace: 'leader = race(leader, i, exp(v - vec4f(f.peak)), step, settings.seed);',
  },
]);

export const sampler: readonly Mutant[] = [...guidance, ...filter, ...draw, ...whole];
