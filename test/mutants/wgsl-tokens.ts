/** The tokens inside the bodies of a WGSL text's functions: all that a generated fault may touch. */

export interface Token {
  readonly text: string;
  readonly kind: 'name' | 'number' | 'sign';
  /** Offsets in the text. */
  readonly start: number;
  readonly end: number;
  /** Name of the function it is in. */
  readonly inside: string;
  /** What stands before the innermost parenthesis around it, as `for` or `min`; in brackets `[`. */
  readonly within: string;
}

/** Names that a `<` of types may follow: a comparison has a space before its sign. */
const TOKEN = new RegExp(
  [
    String.raw`(?<comment>//[^\n]*|/\*[\s\S]*?\*/)`,
    String.raw`(?<name>[A-Za-z_]\w*)(?<types><)?`,
    String.raw`(?<number>0[xX][\da-fA-F]+[iu]?|\d+\.?\d*(?:[eE][+-]?\d+)?[iufh]?|\.\d+[fh]?)`,
    String.raw`(?<sign><<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|->|[-+*/%&|^]=|[^\s\w])`,
  ].join('|'),
  'g',
);

/** Where the list of types that begins at `open` ends. */
function endOfTypes(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if (code[i] === '<') depth++;
    if (code[i] === '>' && --depth === 0) return i + 1;
  }
  throw new Error(`the "<" at ${open} is not closed:\n${code}`);
}

/** All tokens outside of comments; `vec4<f16>` and `bitcast<u32>` are one name each. */
function* allTokens(code: string): Generator<Omit<Token, 'inside' | 'within'>> {
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(code); match; match = TOKEN.exec(code)) {
    const { comment, name, types, number } = match.groups ?? {};
    if (comment !== undefined) continue;
    const start = match.index;
    let end = TOKEN.lastIndex;
    if (types !== undefined) end = endOfTypes(code, end - 1);
    TOKEN.lastIndex = end;
    const kind = name !== undefined ? 'name' : number !== undefined ? 'number' : 'sign';
    yield { text: code.slice(start, end), kind, start, end };
  }
}

/** The tokens of function bodies, without the outermost braces. */
export function bodyTokens(code: string): Token[] {
  const tokens: Token[] = [];
  let inside: string | undefined;
  let depth = 0;
  let previous = '';
  const open: string[] = [];
  for (const token of allTokens(code)) {
    const { text } = token;
    if (previous === 'fn') inside = text;
    if (text === ')' || text === ']') open.pop();
    if (text === '}') depth--;
    if (depth > 0 && inside !== undefined) {
      tokens.push({ ...token, inside, within: open.at(-1) ?? '' });
    }
    if (text === '(') open.push(previous);
    if (text === '[') open.push('[');
    if (text === '{') depth++;
    if (text === '}' && depth === 0) inside = undefined;
    previous = text;
  }
  return tokens;
}
