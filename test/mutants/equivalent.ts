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
    kernels: ['sample_token', 'filter_logits'],
    operators: ['statement', 'term'],
    change: /kept = (#|#\.#);/,
    why: 'It begins as zero, and is set to zero again before each sum but the first.',
  },
  {
    kernels: ['sum_rows', 'silu_mul', 'rms_norm', 'embed', 'guidance'],
    operators: ['bound', 'minmax', 'factor'],
    change: /c (<|\[< -> <=\]) (min|\[min -> max\])\(#u, #u - i (\*|\[\* -> \/\]) #u\); c\+\+\) \{/,
    why: 'What is read past the end of a row is computed with and not written.',
  },
  {
    operators: ['limit'],
    change: /line( \+ #u)? <= \[#u -> \+1\]\)/,
    why: 'Rows and columns past the end are computed with and not written.',
  },
  {
    operators: ['bound'],
    change: /if \(lane \[< -> <=\] stride\)/,
    why: 'What the lane of number stride adds is no part of the total: later steps read lower ones.',
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
