/** All runtimes of one task: outputs compared, then timed in turn. */

import { timing } from '../repeat.ts';
import { type RemoteRunner, startRunner } from './call.ts';
import { nmse, type PeerResult, refusal, type Task, withRatios } from './result.ts';

/** A runtime, and one way to have it do a task. */
export interface Contender {
  readonly runtime: string;
  /** The module that serves it. */
  readonly script: string;
  readonly way: string;
  readonly provider: string;
  /** Bounds checks in shaders; undefined where there are no shaders. */
  readonly robust?: boolean;
}

export interface CompareOptions {
  /** Rows and columns of the grid of codes that the image decoders are given. */
  readonly side: number;
  /** Timed runs after the first. */
  readonly runs: number;
  /** Called with one line as work goes on. */
  readonly note: (line: string) => void;
}

/** A runtime that runs, or the reason why it does not. */
interface Entry {
  readonly contender: Contender;
  runner?: RemoteRunner;
  readonly samples: number[];
  row: PeerResult;
}

/**
 * @param contenders The first is the one the others are compared with.
 * @throws Error when the first fails.
 */
export async function compareOn(
  task: Task,
  contenders: readonly Contender[],
  { side, runs, note }: CompareOptions,
): Promise<PeerResult[]> {
  const entries = contenders.map((contender): Entry => {
    const { runtime, provider, robust } = contender;
    const row = { task, runtime, provider, ...(robust !== undefined && { robust }) };
    return { contender, samples: [], row };
  });
  const [ours] = entries;
  let reference: Float32Array | undefined;
  const prepare = async (entry: Entry): Promise<void> => {
    const { script, way, robust = false } = entry.contender;
    const software = ours?.runner?.software ?? false;
    const runner = await startRunner(script, { task, side, way, robust }, software);
    entry.runner = runner;
    const { version, adapter } = runner;
    entry.row = { ...entry.row, version, adapter };
    const { values, ms } = await runner.outputs();
    reference ??= values;
    const agrees = { metric: 'nmse', value: nmse(values, reference) } as const;
    entry.row = { ...entry.row, agrees };
    entry.samples.push(ms);
    const reason = refusal(agrees.value);
    if (reason !== undefined) throw new Error(reason);
  };
  /** Does it, or drops the runtime with the reason. */
  const attempt = async (entry: Entry, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (entry === ours) throw error;
      entry.row = { ...entry.row, reason: error instanceof Error ? error.message : String(error) };
      entry.runner?.end();
      delete entry.runner;
    }
  };
  try {
    for (const entry of entries) {
      const { runtime, provider, robust } = entry.contender;
      note(`${task}: preparing ${runtime} (${provider}${robust ? ', bounds checks on' : ''})`);
      await attempt(entry, () => prepare(entry));
    }
    // One run of each, then the next of each, so that all meet the same state of the machine.
    for (let run = 1; run <= runs; run++) {
      note(`${task}: run ${run} of ${runs}`);
      for (const entry of entries) {
        const { runner, samples } = entry;
        if (runner) await attempt(entry, async () => void samples.push(await runner.sample()));
      }
    }
    const rows = entries.map(({ row, runner, samples }) =>
      runner ? { ...row, ms: timing(samples) } : row,
    );
    return withRatios(rows, ours?.contender.runtime ?? '');
  } finally {
    for (const { runner } of entries) runner?.end();
  }
}
