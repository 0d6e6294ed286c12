/** Sums over neighbouring invocations of a subgroup, spread over them. */
import { assert, range } from '../kernel.ts';

export interface SpreadParams {
  /** Names of the vec4f values to sum, one list for each kind; all of the same length, a power of two. */
  readonly values: readonly (readonly string[])[];
  /** Invocations that share a sum; a power of two, within a subgroup. */
  readonly span: number;
}

export interface Spread {
  /** Statements that declare `item`, the number of the first value this invocation is left with. */
  readonly code: string;
  /** Names of what it is left with: values `item`, `item + 1`, ..., one list for each kind. */
  readonly left: readonly (readonly string[])[];
  /** Invocations, neighbours, that are left with the same values. */
  readonly copies: number;
}

/**
 * Sums every value over spans of neighbouring invocations. In each of log2(span) exchanges an invocation
 * gives half of its values to a neighbour and takes that one's other half, so n values cost about n
 * exchanges instead of n log2(span), and the sums end up spread over the span, ready to be stored.
 * What is left when one value remains is exchanged whole. Only in uniform control flow; needs `lane`.
 */
export function spread({ values, span }: SpreadParams): Spread {
  const count = values[0]?.length ?? 0;
  assert(count > 0 && (count & (count - 1)) === 0, `spread: ${count} values are no power of two`);
  const lines = ['var item = 0u;'];
  let left = values;
  let n = count;
  let copies = 1;
  for (let mask = span / 2; mask >= 1; mask /= 2) {
    if (n === 1) {
      for (const [v] of left) lines.push(`${v} += subgroupShuffleXor(${v}, ${mask}u);`);
      copies *= 2;
      continue;
    }
    n /= 2;
    const high = `high${mask}`;
    lines.push(`let ${high} = (lane & ${mask}u) != 0u;`, `item += select(0u, ${n}u, ${high});`);
    left = left.map((names, kind) =>
      range(n).map((j) => {
        const [low, up, sum] = [names[j], names[j + n], `kept${kind}_${mask}_${j}`];
        lines.push(
          `var ${sum} = select(${low}, ${up}, ${high}) + subgroupShuffleXor(select(${up}, ${low}, ${high}), ${mask}u);`,
        );
        return sum;
      }),
    );
  }
  return { code: lines.join('\n  '), left, copies };
}
