/** Text of kernels as people read it. */

/** WGSL in the layout of `tidy`; wgsl-if.ts has it with conditions. */
export const wgsl = (strings: TemplateStringsArray, ...values: readonly unknown[]): string =>
  laidOut(String.raw({ raw: strings }, ...values));

/** What `tidy` makes of a text, which is kept. */
export function laidOut(code: string): string {
  const known = texts.get(code);
  if (known !== undefined) return known;
  if (texts.size === MAX_TEXTS) texts.clear();
  const text = tidy(code);
  texts.set(code, text);
  return text;
}

/** By what the template gave: a tokenizer of 493 dispatches has 22 texts, and layout takes 0.5 ms. */
const texts = new Map<string, string>();
const MAX_TEXTS = 256;

/** Columns, at most; only a comment or a name can be longer. */
const WIDTH = 100;

/** One statement: to its `;`, to the `{` of its block, or with its block where that holds at most one. */
const STATEMENT =
  /(?:for \([^{}]*|[^;{}]*)(?:\{ *[^{};]*;? *\}(?: else \{ *[^{};]*;? *\})?|[;{])|\} else [^{}]*\{|\}|[^;{}]+/g;

/** Operations on integers that a size of 1 or a place of 0 leaves nothing to do for. */
const IDLE: readonly (readonly [operation: RegExp, result: string])[] = [
  [/ [*/] 1u\b/g, ''],
  [/ [-+] 0u?(?![\w.])(?! [*/%])/g, ''],
  [/(?<=[([]|, |= |return )0u \+ /g, ''],
  [/(?<=[([]|, |[-+<=] )0u \* (?:[\w.]+|\([^()]*\))(?![\w([])/g, '0u'],
  [/(?<=[([]|, |[-+<=] )(?:[\w.]+|\([^()]*\)) % 1u\b/g, '0u'],
  [/(?<=[([]|[-+*/%<=,] )\(([\w.]+)\)/g, '$1'],
];

/** A statement without them. */
function folded(statement: string): string {
  if (!/\b[01]u?\b/.test(statement)) return statement;
  const once = IDLE.reduce(
    (text, [operation, result]) => text.replace(operation, result),
    statement,
  );
  return once === statement ? once : folded(once);
}

/**
 * One statement a line, indented by the blocks around it, a blank line between functions and nowhere
 * else. Integers are folded; comments stay as they are.
 */
export function tidy(code: string): string {
  const lines: string[] = [];
  let depth = 0;
  let last = '';
  let goesOn = false; // the statement of the last line
  const add = (line: string): void => {
    if (line.startsWith('}')) depth--;
    const begins = last.endsWith('}') || (/^(fn|@compute|\/\/)/.test(line) && /[;}]$/.test(last));
    if (depth === 0 && !goesOn && begins && !line.startsWith('}')) lines.push('');
    lines.push(...broken(line, '  '.repeat(depth), goesOn && !line.startsWith(')')));
    if (/^(?!\/\/).*\{$/.test(line)) depth++;
    goesOn = !/^(@compute|\/\/)|[;{}]$|^\w+: .*,$/.test(line);
    last = line;
  };
  for (const source of code.split('\n')) {
    const [, text = '', comment = ''] = /^(.*?)(\/\/.*)?$/.exec(source.trim()) ?? [];
    const before = lines.length;
    for (const [statement] of text.matchAll(STATEMENT)) {
      const line = folded(statement.trim());
      const fits = 2 * depth + line.length <= WIDTH;
      for (const part of fits ? [line] : line.split(/(?<=\{) *| *(?=\})/)) if (part) add(part);
    }
    if (lines.length > before) lines[lines.length - 1] += comment && ` ${comment}`;
    else if (comment) add(comment);
  }
  return lines.join('\n');
}

/** A line in as many as it takes, broken after commas and before operators, outside of parentheses first. */
function broken(line: string, indent: string, continued: boolean): string[] {
  const start = indent + (continued ? '    ' : '');
  const room = WIDTH - start.length;
  if (line.length <= room || line.startsWith('//')) return [start + line];
  let [cut, least, depth] = [-1, Number.POSITIVE_INFINITY, 0];
  for (const { 0: found, index } of line.matchAll(/[([]|[)\]]|, | [-+] | && | \|\| /g)) {
    if (index >= room) break;
    if ('(['.includes(found)) depth++;
    else if (')]'.includes(found)) depth--;
    else if (index > room / 3 && depth <= least)
      [cut, least] = [found === ', ' ? index + 1 : index, depth];
  }
  if (cut < 0) return [start + line];
  return [start + line.slice(0, cut), ...broken(line.slice(cut + 1), indent, true)];
}
