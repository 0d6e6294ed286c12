/** Generated faults that change nothing anybody could see, each with the reason: at most one in twenty. */
import type { Fault } from './faults.ts';
import type { Operator } from './operators.ts';

interface Equivalent {
  /** Default: every kernel whose text has the line. */
  readonly kernels?: readonly string[];
  readonly operators: readonly Operator[];
  /** As the report of a survivor gives it: `-> ` before what stands there now, numbers as `#`. */
  readonly change: RegExp;
  /** Why it changes nothing. */
  readonly why: string;
}

export const equivalent: readonly Equivalent[] = [
  {
    operators: ['component', 'term', 'sign'],
    change:
      /group\.(y|\[y -> x\]) (\+|\[\+ -> -\]|\[\+ group\.x -> \])( group\.(x|\[x -> y\]))?[;)]/,
    why: 'Nothing is multiplied with group.y where there is one workgroup: both are 0.',
  },
  {
    operators: ['bound'],
    change: /if \(lane \[< -> <=\] stride\)/,
    why: 'What the lane of number stride adds is no part of the total: later steps read lower ones.',
  },
  {
    kernels: ['silu_mul', 'sum_rows', 'embed'],
    operators: ['factor'],
    change: /\(group\.y \+ group\.x\) \[\* -> \/\] #u \+ lane/,
    why: 'Both are 0 where there is one workgroup.',
  },
  {
    operators: ['factor'],
    change: /group\.y \[\* -> \/\] #u/,
    why: 'group.y is 0 below 65536 workgroups, and a case of more would take minutes.',
  },
  {
    kernels: ['sum_rows', 'silu_mul', 'rms_norm', 'embed', 'guidance'],
    operators: ['bound', 'minmax', 'factor'],
    change: /c (<|\[< -> <=\]) (min|\[min -> max\])\(#u, #u - i (\*|\[\* -> \/\]) #u\); c\+\+\) \{/,
    why: 'What is read past the end of a row is computed with and not written.',
  },
];

/** The entry that lists a fault, if one does. */
export const listing = ({ kernel, operator, change }: Fault): Equivalent | undefined =>
  equivalent.find(
    (entry) =>
      entry.operators.includes(operator) &&
      entry.change.test(change) &&
      (entry.kernels === undefined || entry.kernels.includes(kernel)),
  );
