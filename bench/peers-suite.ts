/** `peers`: other runtimes on the same work. They live in bench/peers, with packages of their own. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { OptionError } from '../src/errors.ts';
import { formatNumber, formatTable, type Row } from './table.ts';

/** One runtime on one task; bench/peers says more about each. */
export interface PeerRow {
  readonly task: string;
  readonly runtime: string;
  readonly version?: string;
  readonly provider: string;
  readonly robust?: boolean;
  /** Milliseconds; absent when there is a `reason`. */
  readonly ms?: { readonly first: number; readonly min: number; readonly median: number };
  readonly agrees?: { readonly metric: string; readonly value: number };
  /** How many times longer it takes than this project in the same run. */
  readonly ratio?: number;
  readonly reason?: string;
}

/** The entry point of bench/peers. */
interface PeersModule {
  runPeers(options: {
    readonly runs: number;
    readonly onNote: (line: string) => void;
  }): Promise<readonly PeerRow[]>;
}

/** @throws OptionError that says what to install. */
export async function measurePeers(
  runs: number,
  note: (line: string) => void,
): Promise<readonly PeerRow[]> {
  const entry = new URL('./peers/run.ts', import.meta.url);
  if (!existsSync(fileURLToPath(entry))) {
    throw new OptionError(
      'this checkout has no bench/peers/run.ts: it has no peers to compare with',
    );
  }
  if (!existsSync(fileURLToPath(new URL('./peers/node_modules', import.meta.url)))) {
    throw new OptionError(
      'the peers are not installed: run "npm install --ignore-scripts" in bench/peers',
    );
  }
  const { runPeers } = (await import(entry.href)) as PeersModule;
  return runPeers({ runs, onNote: note });
}

export function peersLines(rows: readonly PeerRow[]): string[] {
  const name = ({ runtime, version = '', provider }: PeerRow): string =>
    `${runtime} ${version} (${provider})`.replace('  ', ' ');
  const checks = ({ robust }: PeerRow): string =>
    robust === undefined ? '' : robust ? 'on' : 'off';
  return [
    ...formatTable([
      ['task and runtime', 'bounds checks', 'best, ms', 'median, ms', 'x ours'],
      ...rows.map(
        (row): Row => [
          `${row.task}: ${name(row)}`,
          checks(row),
          row.ms ? formatNumber(row.ms.min) : '-',
          row.ms ? formatNumber(row.ms.median) : '-',
          row.ratio === undefined ? '' : formatNumber(row.ratio),
        ],
      ),
    ]),
    ...rows.flatMap((row) => (row.reason ? [`${row.task}: ${name(row)}: ${row.reason}`] : [])),
  ];
}
