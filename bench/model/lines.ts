/** Results of the suite `model` as people read them. */
import type { KernelTime } from '../../src/gpu/profile.ts';
import type { Model } from '../../src/index.ts';
import type { Timing } from '../repeat.ts';
import { formatNumber, formatTable, type Row } from '../table.ts';
import type { BatchResult, BuildResult } from './batch.ts';
import type { CommandResult } from './command.ts';
import type { LoadResult } from './load.ts';
import type { CopyResult } from './load-copy.ts';

/** Everything about one batch size. */
export interface BatchReport extends BatchResult, CommandResult {}

/** The table of loading. */
export function loadLines({ name }: Pick<Model, 'name'>, result: LoadResult): string[] {
  return formatTable([
    [`loading ${name}`, 'first', 'best', 'median'],
    timingRow('load, ms', result.loadMs),
    ['peak host memory above the open device, MB', megabytes(result.peakHostBytes)],
  ]);
}

/** The table of loading without conversion. */
export function copyLines({ bytes, loadMs, copyMs, ratio }: CopyResult): string[] {
  const rate = (ms: number): number => bytes / 1e6 / ms;
  const rates = ({ first, min, median }: Timing): Omit<Timing, 'runs'> => ({
    first: rate(first),
    min: rate(min),
    median: rate(median),
  });
  return formatTable([
    [`a file of ${megabytes(bytes)} MB of bf16`, 'first', 'best', 'median'],
    timingRow('to the device as it is, GB/s', rates(loadMs)),
    timingRow('into memory (readFile), GB/s', rates(copyMs)),
    ['loading against copying, best of each', '', `${(100 * ratio).toFixed(0)} %`],
  ]);
}

/** The table of one batch size. */
export function batchLines(result: BatchReport): string[] {
  const { images, rows, steps, shape, stepMs, memory, phasesMs: phases } = result;
  const { layers, dispatchesPerLayer, otherDispatches, dispatches, kvBytes } = shape;
  const rate = (ms: number): number => (images * 1000) / ms;
  const rates = { first: rate(stepMs.first), min: rate(stepMs.min), median: rate(stepMs.median) };
  const s = (ms: number): string => formatNumber(ms / 1000);
  const many = `${images} image${images === 1 ? '' : 's'}`;
  return formatTable([
    [`${many}: ${rows} rows, ${steps} steps`, 'first', 'best', 'median'],
    timingRow('tokens/s', rates),
    timingRow('step, ms', stepMs),
    timingRow('encode a step in JavaScript, us', result.encodeUs),
    timingRow('decode one image, ms', result.decodeMs),
    buildRow('compile decoder', result.decoderBuild),
    buildRow('compile tokenizer', result.tokenizerBuild),
    [`dispatches a step: ${layers} x ${dispatchesPerLayer} + ${otherDispatches}`, `${dispatches}`],
    ['dispatches to decode one image', `${result.tokenizerBuild.dispatches}`],
    [`GPU memory: weights (decoder ${result.dtype}), MB`, megabytes(memory.weights)],
    [`GPU memory: KV cache (${result.kvDtype}), MB`, megabytes(kvBytes)],
    ['GPU memory: other state, MB', megabytes(memory.state - kvBytes)],
    ['GPU memory: temps, MB', megabytes(memory.temp)],
    [
      'llamagen generate, whole process, s',
      s(result.processMs.first),
      s(result.processMs.min),
      s(result.processMs.median),
    ],
    ['  of the best: start, adapter, PNG, exit', '', s(phases.other)],
    ['  of the best: load', '', s(phases.load)],
    ['  of the best: compile', '', s(phases.compile)],
    ['  of the best: tokens', '', s(phases.tokens)],
    ['  of the best: decode', '', s(phases.decode)],
  ]);
}

/** Time per kernel, each dispatch in a pass of its own; nothing where the device has no timestamps. */
export function kernelLines({ images, kernels }: BatchReport): string[] {
  if (!kernels) return ['no time per kernel: the device lacks timestamp-query'];
  const table = (title: string, times: readonly KernelTime[]): string[] => {
    const total = times.reduce((sum, { us }) => sum + us, 0);
    return formatTable([
      [title, 'us', 'share', 'times'],
      ...times.map(
        ({ label, us, dispatches }): Row => [
          `  ${label}`,
          formatNumber(us),
          `${((100 * us) / total).toFixed(1)} %`,
          String(dispatches),
        ],
      ),
    ]);
  };
  return [
    ...table(`kernels of a step, batch of ${images}`, kernels.step),
    ...table('kernels of decoding one image', kernels.decode),
  ];
}

function timingRow(name: string, values: Omit<Timing, 'runs'>): Row {
  return [name, ...[values.first, values.min, values.median].map(formatNumber)];
}

function buildRow(name: string, { ms, pipelines }: BuildResult): Row {
  return [`${name} (${pipelines} pipelines), ms`, formatNumber(ms)];
}

const megabytes = (bytes: number): string => formatNumber(bytes / 1e6);
