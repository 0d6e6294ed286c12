/** Rows of a comparison as people read them. */
import { formatNumber, formatTable, type Row } from '../table.ts';
import type { PeerResult } from './result.ts';

/** The table of one task, reasons below it. */
export function peerTable(rows: readonly PeerResult[]): string {
  const title = `${rows[0]?.task ?? ''}, ms`;
  const table = formatTable([
    [title, 'bounds checks', 'first', 'best', 'median', 'x ours', 'NMSE'],
    ...rows.map(line),
  ]);
  const reasons = rows.flatMap((row) => (row.reason ? [`${nameOf(row)}: ${row.reason}`] : []));
  return [...table, ...reasons].join('\n');
}

function line(row: PeerResult): Row {
  const { ms, ratio, robust, agrees } = row;
  const checks = robust === undefined ? '' : robust ? 'on' : 'off';
  const times = ms ? [ms.first, ms.min, ms.median].map(formatNumber) : ['-', '-', '-'];
  const compared = agrees ? agrees.value.toExponential(1) : '-';
  return [nameOf(row), checks, ...times, ratio === undefined ? '' : formatNumber(ratio), compared];
}

const nameOf = ({ runtime, version, provider }: PeerResult): string =>
  `${runtime}${version ? ` ${version}` : ''} (${provider})`;
