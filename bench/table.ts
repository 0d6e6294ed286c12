/** Numbers in aligned columns. */

/** A name and what stands right of it, or a line of its own. */
export type Row = readonly [name: string, ...cells: string[]];

const GAP = '  ';

/** Lines of a table: names to the left, cells to the right of their columns. */
export function formatTable(rows: readonly Row[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows.map(([name, ...cells]) =>
    [name.padEnd(widths[0] ?? 0), ...cells.map((cell, i) => cell.padStart(widths[i + 1] ?? 0))]
      .join(GAP)
      .trimEnd(),
  );
}

/** About three digits: `1234`, `56.7`, `8.90`. */
export function formatNumber(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}
