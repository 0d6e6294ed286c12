/** Faults of the attention layer: RoPE, the KV cache, attention. */
import { group, kernelTest, type Mutant } from './mutant.ts';

const rope = group({ kernel: 'rope_cache', tests: kernelTest('rope-cache') }, [
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
      name: 'qkv-kv-write-position-late',
      fault: 'Decoding writes keys and values one position too far.',
      find: /(kv_row\([01]u, slot, head - \d+u, position)\)/g,
      replace: '$1 + 1u)',
    },
    {
      name: 'qkv-norm-gain-dropped',
      fault: 'The attention norm forgets its weights.',
      find: /with_gain\((raw\d+), gain\)/g,
      replace: '$1',
    },
  ],
);

const attention = group({ kernel: 'attention', tests: kernelTest('attention'), only: 'serial' }, [
  {
    name: 'attention-past-position',
    fault: 'A token sees one position of the future, or of an earlier image.',
    find: 'position + 1u - first',
    replace: 'position + 2u - first',
  },
  {
    name: 'attention-mask-ignored',
    fault: 'Tokens attend to the padding of a caption.',
    find: /mask\[part\.slot \* \d+u \+ column\] != 0u/g,
    replace: 'true',
    only: 'masked serial|serial padding',
  },
  {
    name: 'attention-own-column-masked',
    fault: 'Padding rows attend to nothing and become NaN.',
    find: 'column == part.position || ',
    replace: '',
    only: 'masked serial|serial padding',
  },
  {
    name: 'attention-kv-head',
    fault: 'Heads of grouped-query attention read the KV heads in turn, not in groups.',
    find: /(let head = \w+ % (\d+)u;[^}]*?})([^}]*?)head \/ (\d+)u, first([^}]*?)head \/ \d+u, first/g,
    replace: '$1$3head % ($2u / $4u), first$5head % ($2u / $4u), first',
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
    name: 'attention-strip-lost',
    fault: 'One strip of the values of a workgroup is lost (GPU variant).',
    find: /(for \(var s = )1u(; s < \d+u; s\+\+\) \{ v \+= strips)/g,
    replace: '$12u$2',
    only: 'f32.* workgroup',
  },
  {
    name: 'attention-share-lost',
    fault: 'One share of the dot product of a key is lost (GPU variant).',
    find: /(for \(var s = )1u(; s < \d+u; s\+\+\) \{ score \+= scores)/g,
    replace: '$12u$2',
    only: "workgroup'?, tile",
  },
]);

const parts = group(
  { kernel: 'attention_parts', tests: kernelTest('attention-parts'), only: 'f32.* serial' },
  [
    {
      name: 'parts-begin-late',
      fault: 'Every second part leaves out its first position.',
      find: /(let first = unit % \d+u \* \d+u);/g,
      replace: '$1 + unit % 2u;',
    },
    {
      name: 'parts-past-columns',
      fault: 'Positions are attended to twice: a part goes on into the next one.',
      find: /min\(position \+ 1u - first, (\d+u)\)/g,
      replace: 'min(position + 1u - first, $1 + 1u)',
    },
    {
      name: 'parts-divided',
      fault: 'Parts are divided by their weights before they are weighed.',
      find: '{ return sum; }',
      replace: '{ return sum / weight; }',
    },
    {
      name: 'parts-future-made',
      fault: 'Parts of the future are made, from what an earlier image left in the cache.',
      find: ' || first > position',
      replace: '',
    },
  ],
);

const merge = group(
  { kernel: 'merge_attention', tests: kernelTest('attention-parts'), only: 'f32.* serial' },
  [
    {
      name: 'merge-not-rescaled',
      fault: 'Parts with low scores weigh as much as those with high ones.',
      find: 'let scale = exp(peaks[part].x - top);',
      replace: 'let scale = 1.0;',
    },
    {
      name: 'merge-last-part-lost',
      fault: 'A token does not see the positions just before it.',
      find: 'part = begin; part <= end',
      replace: 'part = begin; part <= max(end, begin + 1u) - 1u',
    },
    {
      name: 'merge-future-parts',
      fault: 'Parts that were never made are merged.',
      find: /let end = begin \+ position \/ \d+u;/g,
      replace: 'let end = begin + 1u;',
    },
  ],
);

export const attentionLayer: readonly Mutant[] = [
  ...rope,
  ...qkv,
  ...attention,
  ...parts,
  ...merge,
];
