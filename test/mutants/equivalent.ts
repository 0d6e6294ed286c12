/** Generated faults that change nothing anybody could see, each with the reason: at most one in twenty. */
import type { Fault } from './faults.ts';
import type { Operator } from './operators.ts';

interface Equivalent {
  /** Default: every kernel whose text has the line. */
  readonly kernels?: readonly string[];
  /** Default: every variant. */
  readonly variants?: readonly string[];
  readonly operators: readonly Operator[];
  /** As the report of a survivor gives it: `-> ` before what stands there now, numbers as `#`. */
  readonly change: RegExp;
  /** Why it changes nothing. */
  readonly why: string;
}

export const equivalent: readonly Equivalent[] = [
  {
    operators: ['limit'],
    change: /line( \+ #u)? <= \[#u -> \+1\]\)/,
    why: 'Rows and columns past the end are computed with and not written.',
  },
  {
    kernels: ['rows_product'],
    operators: ['sign'],
    change: /= min\(.*\[- -> \+\] #u\)/,
    why: 'Rows and columns past the end are computed with and not written.',
  },
  {
    operators: ['bound'],
    change: /if \(lane \[< -> <=\] stride\)/,
    why: 'What the lane of number stride adds is no part of the total: later steps read lower ones.',
  },
  {
    variants: ['subgroup'],
    operators: ['condition'],
    change: /^if \(\[lane % lanes == #u -> !\(lane % lanes == #u\)\]\) \{ \w+_scratch\[/,
    why: 'What a subgroup reduces is the same in all of its invocations, whichever of them notes it.',
  },
  {
    kernels: ['linear', 'linear_parts', 'swiglu', 'qkv_rope_cache'],
    operators: ['condition', 'limit'],
    change: /^if \(\[?\(lane & #u\) == (\[#u ->|#u -> !)/,
    why: 'Sums that are left whole are the same in all of their invocations, whichever of these stores them.',
  },
  {
    kernels: ['softmax_rows'],
    operators: ['barrier'],
    change: /^\[workgroupBarrier\(\); -> \]$/,
    why: 'Of the barriers of a reduction the software adapter cannot show the one before the total is read: the subgroup of lane 0, which wrote it, runs first.',
  },
  {
    kernels: ['advance'],
    variants: ['serial'],
    operators: ['barrier'],
    change: /Barrier/,
    why: 'There is one invocation, which waits for nobody.',
  },
  {
    kernels: ['sample_token', 'filter_logits', 'draw_token', 'advance'],
    variants: ['serial'],
    operators: ['factor', 'limit', 'bound', 'term', 'sign'],
    change: /\blane\b/,
    why: 'There is one invocation, and its lane is 0.',
  },
  {
    kernels: ['sample_token', 'draw_token'],
    operators: ['term'],
    change: /let series = .*\[\+ v \* # -> \]/,
    why: 'The last term of the series is below a millionth of it: under one draw in a million differs.',
  },
  {
    kernels: ['sample_token', 'filter_logits'],
    operators: ['limit'],
    change: /mass > \[#u -> \+1\]/,
    why: 'A token of one unit of mass, 2^-31, or of none.',
  },
  {
    kernels: ['sample_token', 'filter_logits'],
    operators: ['limit'],
    change: /max\(mass, \[#u -> -1\]\)/,
    why: 'WGSL divides by zero as by one.',
  },
  {
    operators: ['bound'],
    change: /if \(at \[< -> <=\] parts\)|for \(var part = #u; part \[< -> <=\] #u; part\+\+\)/,
    why: 'The place after the last part is past the end of the array, where the software adapter reads zero.',
  },
  {
    kernels: ['nearest_code'],
    operators: ['term', 'statement', 'index', 'sign', 'factor'],
    change: /largest.*magnitude_of/,
    why: 'Where a compiler keeps NaN and infinity, no distance from such a latent is the shortest either.',
  },
  {
    kernels: ['attention'],
    operators: ['condition'],
    change: /if \(\[member == #u/,
    why: 'All invocations of a span have its highest score and its weight.',
  },
  {
    kernels: ['attention'],
    operators: ['index', 'term'],
    change: /top = max\(top, bests\[/,
    why: 'What parts are weighed against falls out, unless a score is beyond it by the range of f32.',
  },
  {
    kernels: ['group_norm', 'group_moments'],
    operators: ['bound'],
    change: /span \[< -> <=\] COUNT/,
    why: 'The span that begins at the end of a group has no values.',
  },
  {
    kernels: ['winograd_input'],
    operators: ['bound'],
    change: /row_inside# = y# >= # && y# \[< -> <=\] height/,
    why: 'The first row of a tile never lies below the picture: the tile begins inside, a row above.',
  },
  {
    kernels: ['conv_few'],
    operators: ['bound'],
    change: /first \[< -> <=\] IN_CHANNELS/,
    why: 'A slice that begins after the last channel has none.',
  },
  {
    kernels: ['conv_few'],
    operators: ['bound'],
    change: /o \[< -> <=\] OUT_CHANNELS|i \[< -> <=\] count \* #u/,
    why: 'A channel after the last is not stored, and the filter after those of a slice is not read.',
  },
];

/** The entry that lists a fault, if one does. */
export const listing = ({ kernel, variant, operator, change }: Fault): Equivalent | undefined =>
  equivalent.find(
    (entry) =>
      entry.operators.includes(operator) &&
      entry.change.test(change) &&
      (entry.kernels === undefined || entry.kernels.includes(kernel)) &&
      (entry.variants === undefined || entry.variants.includes(variant)),
  );

interface Nowhere {
  readonly operators: readonly Operator[];
  /** Name of the function. */
  readonly inside: RegExp;
  readonly change: RegExp;
  readonly why: string;
}

/** Kinds of lines at which an operator has no place in any kernel. */
const nowhere: readonly Nowhere[] = [
  {
    operators: ['bound', 'minmax', 'factor', 'limit'],
    inside: /_at$/,
    change: /for \(var c = #u;/,
    why: 'What is read past the end of a row is not written, or multiplied by zeros of the other operand.',
  },
  {
    operators: ['bound', 'limit'],
    inside: /^fill_/,
    change: /select\(#, /,
    why: 'Outside of a product both operands are zero, and one of them is enough.',
  },
  {
    operators: ['factor', 'bound', 'limit'],
    inside: /./,
    change: /\(#u \+ lanes - #u\)|var depth = #u; depth/,
    why: 'What lies past an array in workgroup memory is nothing that an adapter must show.',
  },
];

/** Whether a fault is of such a kind. */
export const isNowhere = (operator: Operator, inside: string, change: string): boolean =>
  nowhere.some(
    (kind) =>
      kind.operators.includes(operator) && kind.inside.test(inside) && kind.change.test(change),
  );
