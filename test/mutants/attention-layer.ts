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
    find: /cs\.(xx|yy)(?:zz|ww)/g,
    replace: 'cs.$1$1',
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
    find: 'select(turned, a, part == 1u)',
    replace: 'a',
  },
  {
    name: 'kv-write-position-late',
    fault: 'Keys and values are written one position too far.',
    find: /(kv_row\(part, slot, own % \d+u, position)\)/g,
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
    find: /own % (\d+u, position)/g,
    replace: '(own + part) % $1',
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
      find: /(kv_row\(part, slot, own % \d+u, position)\)/g,
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
    find: 'j <= position',
    replace: 'j <= position + 1u',
  },
  {
    name: 'attention-padding-seen',
    fault: 'Tokens attend to the padding of a caption.',
    find: 'min(firsts[slot], position)',
    replace: '0u',
    only: "serial'? padding",
  },
  {
    name: 'attention-own-column-hidden',
    fault: 'Padding rows attend to nothing and become NaN.',
    find: 'min(firsts[slot], position)',
    replace: 'firsts[slot]',
    only: "serial'? padding",
  },
  {
    name: 'attention-kv-head',
    fault: 'Heads of grouped-query attention read the KV heads in turn, not in groups.',
    find: /let head = unit % (\d+)u \/ (\d+)u;/g,
    replace: 'let head = unit % $1u % ($1u / $2u);',
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
    name: 'attention-merge-not-weighed',
    fault: 'Spans with low scores weigh as much as those with high ones (GPU variant).',
    find: /let share(\d+) = exp2\(bests\[\d+\] - top\);/g,
    replace: 'let share$1 = 1.0;',
    only: "workgroup'? scores",
  },
  {
    name: 'attention-past-seen',
    fault: 'Columns past the last one weigh as much as the last (GPU variant).',
    find: /scores = select\(Scores\(f32\(-3\.0e38\)\), scores, [^;]*;/g,
    replace: '',
    only: "workgroup'? a zero",
  },
]);

export const attentionLayer: readonly Mutant[] = [...rope, ...qkv, ...attention];
