/** Small seeded faults, each of which the tests must notice. */
import { attentionLayer } from './attention-layer.ts';
import { convolution } from './convolution.ts';
import { decoder } from './decoder.ts';
import { group, type Mutant } from './mutant.ts';
import { notFinite } from './not-finite.ts';
import { products } from './products.ts';
import { sampler } from './sampler.ts';
import { tokenizer } from './tokenizer.ts';

/** Faults that the comparison with the official code must notice without the help of our oracles. */
const golden = group({ tests: ['test/golden.test.ts'], only: "^serial 'c2i_odd_mha'" }, [
  {
    name: 'golden-rope-sign',
    fault: 'Decoding and scoring turn vectors the wrong way, in agreement with each other.',
    find: 'vec4f(-v.y, v.x, -v.w, v.z)',
    replace: 'vec4f(v.y, -v.x, v.w, -v.z)',
  },
  {
    name: 'golden-scale-dropped',
    fault: 'Attention is too sharp.',
    kernel: 'attention',
    find: 'scores *= SCALE;',
    replace: '',
  },
  {
    name: 'golden-cfg-swapped',
    fault: 'Conditional and unconditional logits change places.',
    find: 'uncond + (cond - uncond)',
    replace: 'cond + (uncond - cond)',
  },
  {
    name: 'golden-top-p-crossing-dropped',
    fault: 'Top-p leaves out the token that crosses p.',
    find: '/ max(mass, 1u) + 1u;',
    replace: '/ max(mass, 1u);',
    only: "^serial 'sample_v257_equal'",
  },
  {
    name: 'golden-upsample-swapped',
    fault: 'Upsampling takes the row from the column.',
    kernel: 'winograd_input upsample',
    find: /(let line\d = plane \+ u32\(clamp\()y/g,
    replace: '$1x',
    only: "^serial 'vq_rect'",
  },
]);

export const mutants: readonly Mutant[] = [
  ...attentionLayer,
  ...products,
  ...decoder,
  ...sampler,
  ...tokenizer,
  ...convolution,
  ...notFinite,
  ...golden,
];
