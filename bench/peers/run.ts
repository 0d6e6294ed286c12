/** Other runtimes on the same work, side by side with this one: `npx tsx bench/peers/run.ts`. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, Option } from 'commander';
import { integer } from '../../src/cli/arguments.ts';
import { OptionError } from '../../src/errors.ts';
import { openDevice } from '../../src/node/device.ts';
import { assertWritable, writeFileAtomic } from '../../src/node/output.ts';
import { environmentOf } from '../environment.ts';
import { environmentLines } from '../report.ts';
import { type Contender, compareOn } from './compare.ts';
import { type PeerResult, TASKS, type Task } from './result.ts';
import { peerTable } from './table.ts';

export interface PeersOptions {
  /** Default all. */
  readonly tasks?: readonly Task[];
  /** Timed runs after the first. Default 3. */
  readonly runs?: number;
  /**
   * Rows and columns of the grid that the image decoders are given. Default 16 (256 x 256 pixels), and 2
   * (32 x 32) on software adapters, where 16 takes many minutes.
   */
  readonly side?: number;
  /** Called with one line as work goes on. */
  readonly onNote?: (line: string) => void;
  /** Called with the rows of a task once all its runtimes are done. */
  readonly onTask?: (rows: readonly PeerResult[]) => void;
}

const OURS = { runtime: 'llamagen-webgpu', script: './ours.ts' } as const;
const ONNX = { runtime: 'onnxruntime-node', script: './onnx/worker.ts' } as const;
const TFJS = { runtime: 'tfjs', script: './tfjs/worker.ts' } as const;

const ours: readonly Contender[] = [
  { ...OURS, way: 'webgpu', provider: 'WebGPU', robust: false },
  { ...OURS, way: 'webgpu', provider: 'WebGPU', robust: true },
];

const fused: readonly Contender[] = [
  { ...ONNX, way: 'fused', provider: 'WebGPU, GroupQueryAttention', robust: false },
  { ...ONNX, way: 'fused', provider: 'WebGPU, GroupQueryAttention', robust: true },
];

const standard: Contender = {
  ...ONNX,
  way: 'standard',
  provider: 'WebGPU, standard operators',
  robust: false,
};

const cpu: Contender = { ...ONNX, way: 'fused cpu', provider: 'CPU, not WebGPU' };

const CONTENDERS: Readonly<Record<Task, readonly Contender[]>> = {
  'decode-2': [...ours, ...fused, standard, cpu],
  'decode-16': [...ours, ...fused, cpu],
  'vq-16': [
    ...ours,
    { ...ONNX, way: 'standard', provider: 'WebGPU', robust: false },
    { ...ONNX, way: 'standard', provider: 'WebGPU', robust: true },
    // Without bounds checks its kernels read what is not theirs: NaN, or the process dies.
    { ...TFJS, way: 'webgpu', provider: 'WebGPU', robust: true },
    { ...ONNX, way: 'standard cpu', provider: 'CPU, not WebGPU' },
  ],
};

/**
 * Compares outputs first, then times all runtimes in turn, each in a process of its own. A runtime
 * that fails or disagrees gets a row with the reason and no times.
 * @throws OptionError when the other runtimes are not installed; Error when this project itself fails.
 */
export async function runPeers(options: PeersOptions = {}): Promise<PeerResult[]> {
  const { tasks = TASKS, runs = 3, onNote = () => {}, onTask = () => {} } = options;
  if (!existsSync(fileURLToPath(new URL('./node_modules', import.meta.url)))) {
    throw new OptionError(
      'the other runtimes are not installed: run "npm install --ignore-scripts" in bench/peers',
    );
  }
  const side = options.side ?? (await defaultSide());
  const results: PeerResult[] = [];
  for (const task of tasks) {
    const rows = await compareOn(task, CONTENDERS[task], { side, runs, onNote });
    onTask(rows);
    results.push(...rows);
  }
  return results;
}

async function defaultSide(): Promise<number> {
  const { software, close } = await openDevice();
  close();
  return software ? 2 : 16;
}

interface Options {
  readonly json?: string;
  readonly task?: readonly Task[];
  readonly runs: number;
  readonly side?: number;
}

async function main({ json, task, runs, side }: Options): Promise<void> {
  if (json !== undefined) assertWritable(json);
  const opened = await openDevice();
  const environment = environmentOf(opened);
  const lines = environmentLines(environment, opened.adapter.info);
  opened.close();
  process.stdout.write(`${lines.join('\n')}\n`);
  const peers = await runPeers({
    ...(task && { tasks: task }),
    ...(side && { side }),
    runs,
    onNote: (line) => void process.stderr.write(`${line}\n`),
    onTask: (rows) => void process.stdout.write(`\n${peerTable(rows)}\n`),
  });
  if (json !== undefined) {
    writeFileAtomic(json, `${JSON.stringify({ ...environment, peers }, null, 2)}\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const program = new Command('peers')
    .description('Times other runtimes on the same work, after their outputs have been compared.')
    .option('--json <file>', 'also write all numbers to a file')
    .addOption(new Option('--task <name...>', 'only these tasks').choices(TASKS))
    .option('--runs <n>', 'timed runs after the first', integer(1, 100), 3)
    .option('--side <n>', 'grid of the VQ decoder (default: 16; 2 in software)', integer(1, 64))
    .exitOverride();
  try {
    await main(program.parse().opts<Options>());
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
      process.exitCode = error instanceof OptionError ? 2 : 1;
    }
  }
}
