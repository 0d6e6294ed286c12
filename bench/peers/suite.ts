/** `peers`: other runtimes on the same work, which live here with packages of their own. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { OptionError } from '../../src/errors.ts';
import type { Session } from '../session.ts';
import { selectCases } from '../settings.ts';
import { formatNumber, type Row, type Table } from '../table.ts';
import { type Contender, compareOn } from './compare.ts';
import { type PeerResult, TASKS, type Task } from './result.ts';

const OURS = { runtime: 'llamagen-webgpu', script: './ours.ts', way: 'webgpu' } as const;
const ONNX = { runtime: 'onnxruntime-node', script: './onnx/worker.ts' } as const;
const TFJS = { runtime: 'tfjs', script: './tfjs/worker.ts' } as const;
const CPU = 'CPU, not WebGPU';

/** One way without bounds checks and with them. */
const both = (one: Omit<Contender, 'robust'>): Contender[] =>
  [false, true].map((robust) => ({ ...one, robust }));

const ours = both({ ...OURS, provider: 'WebGPU' });
const fused = both({ ...ONNX, way: 'fused', provider: 'WebGPU, GroupQueryAttention' });
const standard: Contender = {
  ...{ ...ONNX, way: 'standard', provider: 'WebGPU, standard operators', robust: false },
};
const cpu: Contender = { ...ONNX, way: 'fused cpu', provider: CPU };

const CONTENDERS: Readonly<Record<Task, readonly Contender[]>> = {
  'decode-2': [...ours, ...fused, standard, cpu],
  'decode-16': [...ours, ...fused, cpu],
  'vq-16': [
    ...ours,
    ...both({ ...ONNX, way: 'standard', provider: 'WebGPU' }),
    // Without bounds checks its kernels read what is not theirs: NaN, or the process dies.
    { ...TFJS, way: 'webgpu', provider: 'WebGPU', robust: true },
    { ...ONNX, way: 'standard cpu', provider: CPU },
  ],
};

/** Whether the packages of the other runtimes are installed. */
export const peersAreThere = (): boolean =>
  existsSync(fileURLToPath(new URL('./node_modules', import.meta.url)));

/**
 * Compares outputs first, then times all runtimes in turn, each in a process of its own. A runtime
 * that fails or disagrees gets a row with the reason and no times. `--cases` chooses tasks, `--grids` the
 * grid of codes: 16 x 16, and 2 x 2 on software adapters, where 16 x 16 takes many minutes.
 * @throws OptionError when the other runtimes are not installed; Error when this project itself fails.
 */
export async function measurePeers({
  settings,
  software,
  note,
}: Pick<Session, 'settings' | 'software' | 'note'>): Promise<PeerResult[]> {
  const tasks = selectCases(
    'peers',
    TASKS.map((name) => ({ name })),
    settings.cases,
  );
  if (!peersAreThere()) {
    throw new OptionError(
      'the peers are not installed: run "npm install --ignore-scripts" in bench/peers',
    );
  }
  const side = settings.grids?.[0] ?? (software ? 2 : 16);
  const results: PeerResult[] = [];
  for (const { name } of tasks) {
    const options = { side, runs: settings.runs, note };
    results.push(...(await compareOn(name, CONTENDERS[name], options)));
  }
  return results;
}

/** A table for each task. */
export const peersTables = (results: readonly PeerResult[]): Table[] =>
  [...new Set(results.map(({ task }) => task))].map((task) => [
    [`${task}, ms`, 'bounds checks', 'first', 'best', 'median', 'x ours', 'NMSE'],
    ...results.filter((row) => row.task === task).map(rowOf),
  ]);

function rowOf(row: PeerResult): Row {
  const { ms, ratio, robust, agrees } = row;
  const checks = robust === undefined ? '' : robust ? 'on' : 'off';
  const times = ms ? [ms.first, ms.min, ms.median].map(formatNumber) : ['-', '-', '-'];
  const compared = agrees ? agrees.value.toExponential(1) : '-';
  return [nameOf(row), checks, ...times, ratio === undefined ? '' : formatNumber(ratio), compared];
}

export const peersNotes = (results: readonly PeerResult[]): string[] =>
  results.flatMap((row) => (row.reason ? [`${row.task}: ${nameOf(row)}: ${row.reason}`] : []));

const nameOf = ({ runtime, version, provider }: PeerResult): string =>
  `${runtime}${version ? ` ${version}` : ''} (${provider})`;
