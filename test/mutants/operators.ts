/**
 * The operators that make faults: each finds the places in the body of a function where it applies, and
 * says what stands there instead. What is sure to change nothing (adding 0, dividing by 1) is no place.
 */
import { bodyTokens, type Token } from './wgsl-tokens.ts';

/** A change at one place. */
export interface Edit {
  readonly operator: Operator;
  readonly start: number;
  readonly end: number;
  readonly becomes: string;
  /** The function it is in. */
  readonly inside: string;
}

/** What an operator changes, for reports. */
export const OPERATORS = {
  barrier: 'no barrier',
  sign: '+ and - swapped',
  factor: '* and / swapped',
  bound: 'a bound includes its end, or no longer does',
  limit: 'the number of a comparison, a min or a max one off',
  minmax: 'min and max swapped',
  term: 'a term of a sum dropped',
  statement: 'an assignment, a sum or a call dropped',
  select: 'the arms of a select swapped',
  condition: 'a condition negated',
  component: 'another component of a vector',
  index: 'a literal index one off',
} as const;
export type Operator = keyof typeof OPERATORS;

type Finder = (
  tokens: readonly Token[],
  at: number,
) => Omit<Edit, 'operator' | 'inside'> | undefined;

const SWAPS: Readonly<Record<'sign' | 'factor' | 'bound', Readonly<Record<string, string>>>> = {
  sign: { '+': '-', '-': '+', '+=': '-=', '-=': '+=' },
  factor: { '*': '/', '/': '*', '*=': '/=', '/=': '*=' },
  bound: { '<': '<=', '<=': '<', '>': '>=', '>=': '>' },
};
const EXTREMES: Readonly<Record<string, string>> = {
  min: 'max',
  max: 'min',
  subgroupMin: 'subgroupMax',
  subgroupMax: 'subgroupMin',
};
const COMPONENTS: Readonly<Record<string, string>> = { x: 'y', y: 'x', z: 'y', w: 'z' };
const BARRIERS = ['workgroupBarrier', 'storageBarrier'];
const CLOSED = new Set([')', ']']);

const isZero = (token: Token | undefined): boolean => /^0(\.0)?[uif]?$/.test(token?.text ?? '');
const isOne = (token: Token | undefined): boolean => /^1(\.0)?[uif]?$/.test(token?.text ?? '');
const isInteger = (token: Token | undefined): token is Token =>
  token?.kind === 'number' && /^\d+[ui]?$/.test(token.text);

/** Whether a sign has something on its left, and so is no sign of a number. */
const isBinary = (tokens: readonly Token[], at: number): boolean => {
  const left = tokens[at - 1];
  if (!left || left.text === 'return') return false;
  return left.kind !== 'sign' || CLOSED.has(left.text);
};

/** Place of the bracket that closes the one at `at`. */
function closing(tokens: readonly Token[], at: number): number {
  let depth = 0;
  for (let i = at; i < tokens.length; i++) {
    const { text = '' } = tokens[i] ?? {};
    if (text === '(' || text === '[' || text === '{') depth++;
    if ((text === ')' || text === ']' || text === '}') && --depth === 0) return i;
  }
  return tokens.length;
}

/** Place of the first of `ends` from `at` on that is in no bracket opened since, or of the closing one. */
function until(tokens: readonly Token[], at: number, ends: ReadonlySet<string>): number {
  for (let i = at; i < tokens.length; i++) {
    const { text = '' } = tokens[i] ?? {};
    if (text === '(' || text === '[' || text === '{') i = closing(tokens, i);
    else if (ends.has(text) || CLOSED.has(text) || text === '}') return i;
  }
  return tokens.length;
}

const AFTER_TERM = new Set('+ - ; , { < <= > >= == != && || & | ^ << >>'.split(' '));

/** Whether the token at `at` begins a statement, which those between the parentheses of a `for` do not. */
const beginsStatement = (tokens: readonly Token[], at: number): boolean =>
  ['{', '}', ';', undefined].includes(tokens[at - 1]?.text) &&
  tokens[at]?.kind === 'name' &&
  tokens[at]?.within === '';

const KEYWORDS = new Set(
  'let var const return if else for while loop continue break switch'.split(' '),
);

function replaced({ start, end }: Token, becomes: string): ReturnType<Finder> {
  return { start, end, becomes };
}

const swap =
  (
    table: Readonly<Record<string, string>>,
    changesNothing: (right: Token | undefined) => boolean,
  ): Finder =>
  (tokens, at) => {
    const token = tokens[at];
    const becomes = token && table[token.text];
    if (!becomes || !isBinary(tokens, at) || changesNothing(tokens[at + 1])) return undefined;
    return replaced(token, becomes);
  };

/** A whole statement that begins at `at`, with its semicolon. */
function statement(tokens: readonly Token[], at: number): ReturnType<Finder> {
  const end = tokens[until(tokens, at, new Set(';'))];
  const first = tokens[at];
  if (!first || end?.text !== ';') return undefined;
  return { start: first.start, end: end.end, becomes: '' };
}

/** In a comparison the way that `bound` does not move it, in a min or a max one less. */
const limit: Finder = (tokens, at) => {
  const [sign, token, next] = [tokens[at - 1], tokens[at], tokens[at + 1]];
  if (!isInteger(token)) return undefined;
  const n = Number.parseInt(token.text, 10);
  const moved = (by: number): ReturnType<Finder> =>
    n + by < 0 ? undefined : replaced(token, token.text.replace(/\d+/, String(n + by)));
  const alone = AFTER_TERM.has(next?.text ?? '') || CLOSED.has(next?.text ?? '');
  if (sign && alone && (sign.text === '<' || sign.text === '>=')) return moved(-1);
  if (sign && alone && (sign.text === '<=' || sign.text === '>')) return moved(1);
  const ends = sign?.text === ',' && next?.text === ')';
  return ends && token.within in EXTREMES ? moved(-1) : undefined;
};

const FINDERS: Readonly<Record<Operator, Finder>> = {
  barrier: (tokens, at) =>
    BARRIERS.includes(tokens[at]?.text ?? '') ? statement(tokens, at) : undefined,
  sign: swap(SWAPS.sign, isZero),
  factor: swap(SWAPS.factor, isOne),
  bound: (tokens, at) => {
    // A loop while what has no sign is at least 0 ends never: that says nothing of the cases.
    const isEndless = ['for', 'while'].includes(tokens[at]?.within ?? '') && isZero(tokens[at + 1]);
    return isEndless ? undefined : swap(SWAPS.bound, () => false)(tokens, at);
  },
  limit,
  minmax: (tokens, at) => {
    const token = tokens[at];
    const becomes = token && EXTREMES[token.text];
    return becomes && tokens[at + 1]?.text === '(' ? replaced(token, becomes) : undefined;
  },
  term: (tokens, at) => {
    const token = tokens[at];
    if (token?.text !== '+' || !isBinary(tokens, at)) return undefined;
    const after = until(tokens, at + 1, AFTER_TERM);
    const last = tokens[after - 1];
    if (!last || (after === at + 2 && isZero(last))) return undefined;
    return { start: token.start, end: last.end, becomes: '' };
  },
  statement: (tokens, at) => {
    const name = tokens[at]?.text ?? '';
    if (!beginsStatement(tokens, at) || KEYWORDS.has(name) || BARRIERS.includes(name)) {
      return undefined;
    }
    return statement(tokens, at);
  },
  select: (tokens, at) => {
    const open = tokens[at + 1];
    if (tokens[at]?.text !== 'select' || open?.text !== '(') return undefined;
    const comma = until(tokens, at + 2, new Set(','));
    const second = until(tokens, comma + 1, new Set(','));
    const text = (from: number, to: number): string =>
      tokens
        .slice(from, to)
        .map((t) => t.text)
        .join(' ');
    const [begin, end] = [tokens[at + 2], tokens[second - 1]];
    if (!begin || !end) return undefined;
    const becomes = `${text(comma + 1, second)}, ${text(at + 2, comma)}`;
    return { start: begin.start, end: end.end, becomes };
  },
  condition: (tokens, at) => {
    if (tokens[at - 1]?.text !== 'if' || tokens[at]?.text !== '(') return undefined;
    const [first, last] = [tokens[at + 1], tokens[closing(tokens, at) - 1]];
    if (!first || !last) return undefined;
    const text = tokens
      .slice(at + 1, closing(tokens, at))
      .map((t) => t.text)
      .join(' ');
    return { start: first.start, end: last.end, becomes: `!(${text})` };
  },
  component: (tokens, at) => {
    const token = tokens[at];
    const becomes = token && COMPONENTS[token.text];
    return becomes && tokens[at - 1]?.text === '.' ? replaced(token, becomes) : undefined;
  },
  index: (tokens, at) => {
    const [left, token, right] = [tokens[at - 1], tokens[at], tokens[at + 1]];
    if (!isInteger(token) || left?.text !== '[' || right?.text !== ']') return undefined;
    const n = Number.parseInt(token.text, 10);
    return replaced(token, token.text.replace(/\d+/, String(n === 0 ? 1 : n - 1)));
  },
};

/** A grid of one workgroup, of which both are 0; and the second dimension, 0 below 65536 workgroups. */
const ZERO = /\(?group\.y \+ group\.x\)?(?: \* \d+u)?|(?<=group\.y )\*/g;

/** Every change of a text by every operator, in the text's order for each operator. */
export function edits(code: string): Edit[] {
  const tokens = bodyTokens(code);
  const zeros = Array.from(code.matchAll(ZERO), ({ 0: text, index }) => [
    index,
    index + text.length,
  ]);
  const isZeroPlace = ({ start }: Omit<Edit, 'inside' | 'operator'>): boolean =>
    zeros.some(([begin = 0, end = 0]) => start >= begin && start < end);
  return (Object.keys(OPERATORS) as Operator[]).flatMap((operator) =>
    tokens.flatMap(({ inside }, at) => {
      const edit = FINDERS[operator](tokens, at);
      return edit && !isZeroPlace(edit) ? [{ ...edit, operator, inside }] : [];
    }),
  );
}
