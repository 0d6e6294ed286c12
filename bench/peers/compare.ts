/** All runtimes of one task: outputs compared, then timed in turn. */
import { type RemoteRunner, startRunner } from './call.ts';
import { msOf, nmse, type PeerResult, refusal, type Task, withRatios } from './result.ts';

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

/** A process that says nothing for so long is given up. */
const LIMIT_MS = 1_800_000;

export interface CompareOptions {
  /** Rows and columns of the grid of codes that the image decoders are given. */
  readonly side: number;
  /** Timed runs after the first. */
  readonly runs: number;
  /** Called with one line as work goes on. */
  readonly onNote: (line: string) => void;
}

interface Entry {
  readonly contender: Contender;
  readonly runner: RemoteRunner;
  readonly agrees: NonNullable<PeerResult['agrees']>;
  readonly samples: number[];
}

/**
 * @param contenders The first is the one the others are compared with.
 * @throws Error when the first fails.
 */
export async function compareOn(
  task: Task,
  contenders: readonly Contender[],
  { side, runs, onNote }: CompareOptions,
): Promise<PeerResult[]> {
  const [first] = contenders;
  const rows = new Map<Contender, PeerResult>();
  const entries: Entry[] = [];
  const drop = (contender: Contender, row: Partial<PeerResult>): void => {
    const { runtime, provider, robust } = contender;
    const who = { task, runtime, provider, ...(robust !== undefined && { robust }) };
    rows.set(contender, { ...who, ...row });
  };
  try {
    let reference: Float32Array | undefined;
    let software = false;
    for (const contender of contenders) {
      onNote(`${task}: preparing ${nameOf(contender)}`);
      const { script, way, robust = false } = contender;
      try {
        const runner = await startRunner(script, { task, side, way, robust }, software, LIMIT_MS);
        const { values, ms } = await runner.outputs().catch((error: unknown) => {
          runner.end();
          throw error;
        });
        if (contender === first) {
          reference = values;
          software = runner.software;
        }
        const value = nmse(values, reference ?? values);
        const agrees = { metric: 'nmse', value } as const;
        const reason = refusal(value);
        if (reason === undefined) entries.push({ contender, runner, agrees, samples: [ms] });
        else {
          drop(contender, { version: runner.version, adapter: runner.adapter, agrees, reason });
          runner.end();
        }
      } catch (error) {
        if (contender === first) throw error;
        drop(contender, { reason: messageOf(error) });
      }
    }
    await timeInTurn(entries, runs, task, onNote, drop);
    for (const { contender, runner, agrees, samples } of entries) {
      if (rows.has(contender)) continue;
      const { version, adapter } = runner;
      drop(contender, { version, adapter, agrees, ms: msOf(samples) });
    }
    const all = contenders.flatMap((contender) => rows.get(contender) ?? []);
    return withRatios(all, first?.runtime ?? '');
  } finally {
    for (const { runner } of entries) runner.end();
  }
}

/** One run of each, then the next of each, so that all meet the same state of the machine. */
async function timeInTurn(
  entries: readonly Entry[],
  runs: number,
  task: Task,
  onNote: (line: string) => void,
  drop: (contender: Contender, row: Partial<PeerResult>) => void,
): Promise<void> {
  const failed = new Set<Entry>();
  for (let run = 1; run <= runs; run++) {
    onNote(`${task}: run ${run} of ${runs}`);
    for (const entry of entries) {
      if (failed.has(entry)) continue;
      try {
        entry.samples.push(await entry.runner.sample());
      } catch (error) {
        failed.add(entry);
        const { version, adapter } = entry.runner;
        drop(entry.contender, { version, adapter, agrees: entry.agrees, reason: messageOf(error) });
      }
    }
  }
}

const nameOf = ({ runtime, provider, robust }: Contender): string =>
  `${runtime} (${provider}${robust === true ? ', bounds checks on' : ''})`;

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
