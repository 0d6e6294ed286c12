/** `llamagen tune`: measures the tiles of a model's kernels and keeps the best for this adapter. */
import { dirname } from 'node:path';
import type { WeightDTypeOption } from '../index.ts';
import { describePrecision } from '../load/fingerprint.ts';
import { gptPrecision } from '../load/precision.ts';
import { openFolder } from '../node/files.ts';
import { assertFolderWritable } from '../node/output.ts';
import { writeTiles } from '../node/tiles-file.ts';
import type { Tile } from '../ops/tiles.ts';
import { kernelDigest } from '../tune/digest.ts';
import type { Tuned } from '../tune/table.ts';
import { type Families, type Result, tune } from '../tune/tune.ts';
import { rowsToTune, workloadsOf } from '../tune/workloads.ts';
import { openModelWeights } from '../weights/model-weights.ts';
import { type CommonOptions, withDevice } from './context.ts';
import { readModelJson } from './models.ts';
import type { Report } from './report.ts';
import { formatTable } from './table.ts';

export interface TuneCommand extends CommonOptions {
  /** Rows of the decoding steps that products are measured with. Default: `rowsToTune`. */
  readonly rows?: readonly number[] | undefined;
  readonly dtype: WeightDTypeOption;
  /** Measure again what is known. */
  readonly again?: boolean | undefined;
}

/**
 * Runs the command. Each result is written as soon as it is there, so that stopping loses none.
 * @param families What is tuned, in the place of all that has tiles.
 */
export async function runTune(
  options: TuneCommand,
  report: Report,
  signal: AbortSignal,
  families?: Families,
): Promise<void> {
  const files = openFolder(options.model);
  const config = await readModelJson(files);
  const gptFile = await openModelWeights(files, 'gpt');
  await withDevice(report, async (device, adapter, { tuned: before, kernels: choices }) => {
    assertFolderWritable(dirname(before.path));
    const precision = gptPrecision(device, gptFile, { ...choices, dtype: options.dtype });
    report.line(`model    ${config.name} (${describePrecision(precision)})`);
    const kernels = await kernelDigest(choices.variant);
    const tuned: Record<string, Tuned> = { ...before.tuned };
    const results = new Map<string, Result>();
    const { rows = rowsToTune(adapter.software) } = options;
    const start = performance.now();
    await tune(device, workloadsOf(config, precision, rows), {
      families,
      signal,
      ...(!options.again && { known: new Set(Object.keys(before.tuned)) }),
      onProgress: (done, total) => {
        if (done === total) return;
        report.progress({ phase: 'tune', done, total, elapsedMs: performance.now() - start });
      },
      onResult: (key, result) => {
        results.set(key, result);
        const { tile, ownUs, us, unconfirmed } = result;
        // Measured again by the next run.
        if (unconfirmed) return;
        tuned[key] = { tile, ownUs: rounded(ownUs), us: rounded(us) };
        writeTiles(before, { kernels, tuned });
      },
    });
    for (const line of resultLines(results)) report.line(line);
    const better = [...results.values()].filter(({ tile }) => hasSettings(tile)).length;
    const known = Object.keys(before.tuned).length;
    const rest = known > 0 && !options.again ? `, ${known} known from before` : '';
    report.line(`tuned    ${better} of ${results.size} kernels${rest}`);
    const unsure = [...results.values()].filter(({ unconfirmed }) => unconfirmed).length;
    if (unsure > 0) {
      report.line(
        `unsure   ${unsure} looked faster, but not each time: run it again when the machine is less busy`,
      );
    }
    if (results.size > unsure) report.line(`wrote ${before.path}`);
    report.json({
      adapter,
      model: config.name,
      file: before.path,
      known,
      results: Object.fromEntries(results),
    });
  });
}

/** A table of results, one a line. */
export function resultLines(results: ReadonlyMap<string, Result>): string[] {
  if (results.size === 0) return [];
  const rows = [...results].map(([key, result]) => {
    const { ownUs, us, measured, refused } = result;
    const times = [ownUs.toFixed(1), us.toFixed(1), us > 0 ? (ownUs / us).toFixed(2) : '1.00'];
    return [
      key,
      // A kernel that there is one way to make is not run.
      ...(measured > 0 ? times : times.map(() => '-')),
      String(measured),
      String(refused.length),
      describeChoice(result),
    ] as const;
  });
  return formatTable([
    ['kernel', 'own us', 'best us', 'ratio', 'tiles', 'refused', 'best'],
    ...rows,
  ]);
}

function describeChoice({ tile, unconfirmed }: Result): string {
  if (unconfirmed) return `own choice (unsure: ${describeTile(unconfirmed)})`;
  return hasSettings(tile) ? describeTile(tile) : 'own choice';
}

/** To tenths: more says nothing. */
const rounded = (us: number): number => Math.round(us * 10) / 10;

const hasSettings = (tile: Tile): boolean => Object.keys(tile).length > 0;

/** As LLAMAGEN_VARIANT takes settings. */
const describeTile = (tile: Tile): string =>
  Object.entries(tile)
    .map(([setting, value]) => `${setting}=${value}`)
    .join(' ');
