/** Numbers and tables as people read them, on a terminal and on the page. */
import { formatTable, type Row } from '../src/cli/table.ts';

export { formatTable, type Row };

/** The first row is the head; every row begins with a name. */
export type Table = readonly Row[];

/** Lines of tables, an empty one between them. */
export const tableLines = (tables: readonly Table[]): string[] =>
  tables.flatMap((table, i) => [...(i > 0 ? [''] : []), ...formatTable(table)]);

/** A table of one row for each quantity and one column for each item. */
export const columns = <T extends { readonly name: string }>(
  title: string,
  items: readonly T[],
  quantities: Readonly<Record<string, (item: T) => string>>,
): Table => [
  [title, ...items.map(({ name }) => name)],
  ...Object.entries(quantities).map(([name, of]): Row => [`  ${name}`, ...items.map(of)]),
];

/** About three digits: `1234`, `56.7`, `8.90`. */
export function formatNumber(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** `6.3 %`, `88 %`. */
export const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** Bytes as megabytes of 10^6, without the unit. */
export const megabytes = (bytes: number): string => formatNumber(bytes / 1e6);
