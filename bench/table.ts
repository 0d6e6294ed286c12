/** Numbers as people read them. */

export { formatTable, type Row } from '../src/cli/table.ts';

/** About three digits: `1234`, `56.7`, `8.90`. */
export function formatNumber(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}
