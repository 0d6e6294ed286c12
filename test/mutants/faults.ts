/**
 * Faults of a kernel's texts: one change by one operator at one line. A kernel has a text for each case,
 * so a fault is not tied to one of them: it is found again by what the line is but for its numbers, and is
 * judged by every case whose text has it.
 */
import { isNowhere } from './equivalent.ts';
import { type Edit, edits, type Operator } from './operators.ts';

export interface Fault {
  readonly kernel: string;
  /** The variant whose text was the first that has it. */
  readonly variant: string;
  readonly operator: Operator;
  /** The line with the change marked, all numbers as `#`: `if (i [< -> <=] #u) { return; }`. */
  readonly change: string;
  /** What finds it again in a text of other sizes. */
  readonly key: string;
  /** Where it is in the first text that has it, from 1. */
  readonly line: number;
  readonly column: number;
}

/** `kernel:variant:operator:line:column`. */
export const nameOf = ({ kernel, variant, operator, line, column }: Fault): string =>
  [kernel, variant, operator, line, column].join(':');

/** All numbers as `#`: those in names count copies of an unrolled line, the others are sizes. */
export const withoutNumbers = (text: string): string =>
  text.replace(/0x[\da-f]+|\d+(?:\.\d+)?(?:e[-+]?\d+)?/gi, '#').replace(/\s+/g, ' ');

/** An edit and where it is. */
interface Placed extends Edit {
  readonly key: string;
  readonly change: string;
  readonly line: number;
  readonly column: number;
}

/** What faults need of one kernel and variant: its texts. */
export interface Text {
  readonly variant: string;
  readonly code: string;
}

const known = new Map<string, ReadonlyMap<string, Placed>>();

/**
 * Changes of a text by their keys. Of the copies of an unrolled line the first one has the change: in
 * small cases the others may be of rows that are not there.
 */
function changesOf(code: string): ReadonlyMap<string, Placed> {
  const before = known.get(code);
  if (before) return before;
  const found = new Map<string, Placed>();
  known.set(code, found);
  const starts = [0, ...Array.from(code.matchAll(/\n/g), ({ index }) => index + 1)];
  const seen = new Map<string, number>();
  const byLine = new Map<number, Edit[]>();
  for (const edit of edits(code)) {
    const line = starts.findLastIndex((s) => s <= edit.start);
    const own = byLine.get(line) ?? [];
    byLine.set(line, own);
    own.push(edit);
  }
  for (const [line, own] of [...byLine].sort(([a], [b]) => a - b)) {
    const start = starts[line] ?? 0;
    const text = code.slice(start, (starts[line + 1] ?? code.length + 1) - 1);
    const inside = own[0]?.inside ?? '';
    // Lines of the very same text are no copies of an unrolled one: they mean something else each.
    const alike = `${inside}\n${text}`;
    const nth = seen.get(alike) ?? 0;
    seen.set(alike, nth + 1);
    const ordinals = new Map<Operator, number>();
    for (const edit of own) {
      const ordinal = ordinals.get(edit.operator) ?? 0;
      ordinals.set(edit.operator, ordinal + 1);
      const form = withoutNumbers(text.trim());
      const key = [edit.operator, withoutNumbers(inside), form, nth, ordinal].join('\n');
      const change = changeOf(code, start, edit);
      if (found.has(key) || isNowhere(edit.operator, inside, change)) continue;
      found.set(key, { ...edit, key, change, line: line + 1, column: edit.start - start + 1 });
    }
  }
  return found;
}

/** The line that begins at `begin` with the change marked. */
function changeOf(code: string, begin: number, { start, end, becomes, operator }: Edit): string {
  const old = code.slice(start, end);
  const stop = code.indexOf('\n', end);
  const rest = code.slice(end, stop < 0 ? undefined : stop);
  const shift = Number.parseInt(becomes, 10) > Number.parseInt(old, 10) ? '+1' : '-1';
  const now = operator === 'limit' || operator === 'index' ? shift : withoutNumbers(becomes);
  const marked = `[${withoutNumbers(old)} -> ${now}]`;
  return `${withoutNumbers(code.slice(begin, start))}${marked}${withoutNumbers(rest)}`.trim();
}

/** Every fault of the texts of one kernel, in their order. */
export function faultsOf(kernel: string, texts: readonly Text[]): Fault[] {
  const faults = new Map<string, Fault>();
  for (const { code, variant } of texts) {
    for (const [key, { operator, change, line, column }] of changesOf(code)) {
      if (!faults.has(key)) {
        faults.set(key, { kernel, variant, operator, change, key, line, column });
      }
    }
  }
  return [...faults.values()];
}

/** A text with the fault, and the lines that it changes; undefined where the text has no place for it. */
export function withFault(
  key: string,
  code: string,
): { readonly code: string; readonly diff: string } | undefined {
  const edit = changesOf(code).get(key);
  if (!edit) return undefined;
  const faulty = code.slice(0, edit.start) + edit.becomes + code.slice(edit.end);
  const rest = code.length - edit.end;
  const begin = code.lastIndexOf('\n', edit.start) + 1;
  const shown = (text: string): string => {
    const end = text.indexOf('\n', text.length - rest);
    return text
      .slice(begin, end < 0 ? undefined : end)
      .replace(/\s+/g, ' ')
      .trim();
  };
  return { code: faulty, diff: `- ${shown(code)}\n+ ${shown(faulty)}` };
}
