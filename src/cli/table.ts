/** Numbers in aligned columns. */

/** A name and what stands right of it, or a line of its own. */
export type Row = readonly [name: string, ...cells: string[]];

/** Lines of a table: names to the left, cells to the right of their columns. */
export function formatTable(rows: readonly Row[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows.map(([name, ...cells]) =>
    [name.padEnd(widths[0] ?? 0), ...cells.map((cell, i) => cell.padStart(widths[i + 1] ?? 0))]
      .join('  ')
      .trimEnd(),
  );
}
