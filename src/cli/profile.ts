/** `--profile`: where the time of a run went, as a table and as a trace file. */
import type { RunStats } from '../engine/run-steps.ts';
import { type DeviceLimits, measureLimits } from '../gpu/limits.ts';
import { shareOfFloor } from '../gpu/profile.ts';
import { Profiler, type ProgramProfile } from '../gpu/profiler.ts';
import { shownDestination, writeDestination } from './destinations.ts';
import type { Report } from './report.ts';
import { formatTable } from './table.ts';

/** What `--profile` gives: a trace file, or true for the table alone. */
export type ProfileOption = string | true;

/** Starts a profile where one is asked for. */
export const openProfile = async (
  device: GPUDevice,
  profile: ProfileOption | undefined,
): Promise<Profiler | undefined> =>
  profile === undefined ? undefined : await Profiler.open(device);

/** What `--json` says of a profile. */
export interface ProfileSummary {
  /** Means of their timed runs. */
  readonly programs: readonly ProgramProfile[];
  readonly limits: DeviceLimits;
  readonly idle?: Idle | undefined;
}

/**
 * Prints a profile and writes its trace.
 * @returns undefined when there is none.
 */
export async function reportProfile(
  report: Report,
  device: GPUDevice,
  profiler: Profiler | undefined,
  profile: ProfileOption | undefined,
  runs: readonly RunStats[] = [],
): Promise<ProfileSummary | undefined> {
  if (!profiler) return undefined;
  const limits = await measureLimits(device);
  for (const program of profiler.programs) {
    for (const line of programLines(program, limits)) report.line(line);
  }
  const idle = runs.length > 0 ? idleOf(runs) : undefined;
  if (idle) report.line(idleLine(idle));
  report.line(
    `limits   memory ${rate(limits.bytesPerSecond)}B/s, f32 multiply-adds ${rate(limits.operationsPerSecond)}op/s, measured after the run`,
  );
  if (typeof profile === 'string') {
    await writeDestination(profile, profiler.trace(), report);
    report.line(`wrote ${shownDestination(profile)}: open it at https://ui.perfetto.dev`);
  }
  return { programs: profiler.programs, limits, idle };
}

/** Of all runs of the token loop. */
interface Idle {
  readonly deviceMs: number;
  readonly idleMs: number;
  readonly encodeMs: number;
  readonly chunks: number;
}

function idleOf(runs: readonly RunStats[]): Idle {
  const sum = (of: (run: RunStats) => number): number => runs.reduce((n, run) => n + of(run), 0);
  return {
    deviceMs: sum(({ device }) => device?.ms ?? 0),
    idleMs: sum(({ device }) => device?.idleMs ?? 0),
    encodeMs: sum(({ encodeMs }) => encodeMs),
    chunks: sum(({ chunks }) => chunks),
  };
}

function idleLine({ deviceMs, idleMs, encodeMs, chunks }: Idle): string {
  const share = deviceMs > 0 ? idleMs / deviceMs : 0;
  return `tokens   ${chunks} submits, ${encodeMs.toFixed(1)} ms of JavaScript; the device waited ${idleMs.toFixed(1)} of ${deviceMs.toFixed(0)} ms (${percent(share)})`;
}

const HEAD = ['dispatches', 'us', 'share', 'MB', 'Mop', 'of floor'] as const;

/** A table of one program: the mean of its timed runs, the longest kernels first. */
export function programLines(program: ProgramProfile, limits: DeviceLimits): string[] {
  const { name, runs, kernels } = program;
  const total = kernels.reduce(
    (sum, k) => ({
      dispatches: sum.dispatches + k.dispatches,
      us: sum.us + k.us,
      bytes: sum.bytes + k.bytes,
      operations: sum.operations + k.operations,
    }),
    { dispatches: 0, us: 0, bytes: 0, operations: 0 },
  );
  const row = (label: string, k: typeof total): [string, ...string[]] => [
    label,
    String(k.dispatches),
    k.us.toFixed(1),
    percent(total.us > 0 ? k.us / total.us : 0),
    (k.bytes / 1e6).toFixed(2),
    k.operations > 0 ? (k.operations / 1e6).toFixed(1) : '-',
    percent(shareOfFloor(k, limits)),
  ];
  const of = runs === 1 ? 'one run' : `mean of ${runs} runs`;
  return [
    `profile  ${name}: ${of}, each dispatch in a pass of its own`,
    ...formatTable([
      ['kernel', ...HEAD],
      ...kernels.map((kernel) => row(kernel.label, kernel)),
      row('all', total),
    ]),
  ];
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** E.g. `26.6 G`. */
function rate(perSecond: number): string {
  return perSecond >= 1e12
    ? `${(perSecond / 1e12).toFixed(1)} T`
    : `${(perSecond / 1e9).toFixed(1)} G`;
}
