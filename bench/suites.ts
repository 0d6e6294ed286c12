/** The suites by name, and running some of them as one run. */
import { OptionError } from '../src/errors.ts';
import type { NodeDevice } from '../src/node/device.ts';
import type { Environment } from './environment.ts';
import { type GenerateResult, generateLines, measureGenerate } from './generate/suite.ts';
import { type KernelsResult, kernelsLines, measureKernels } from './kernels/suite.ts';
import { limitsLines } from './limits/lines.ts';
import type { Limits } from './limits/measure.ts';
import { type ModelResult, measureModel, modelLines } from './model/suite.ts';
import { measurePeers, type PeerRow, peersLines } from './peers-suite.ts';
import { environmentLines } from './report.ts';
import { measureScaling, type ScalingResult, scalingLines } from './scaling.ts';
import { Session } from './session.ts';
import type { Settings } from './settings.ts';
import { summaryLines } from './summary.ts';

/** What the suites of one run measured. */
export interface Results {
  readonly limits?: Limits;
  readonly kernels?: KernelsResult;
  readonly generate?: GenerateResult;
  readonly scaling?: ScalingResult;
  readonly model?: ModelResult;
  readonly peers?: readonly PeerRow[];
}

/** A file of results. */
export type BenchFile = Environment & { readonly results: Results };

export type SuiteName = keyof Results;

export interface Suite {
  /** Measures, and says what it found. */
  run(
    session: Session,
    note: (line: string) => void,
  ): Promise<{ readonly results: Results; readonly lines: readonly string[] }>;
}

/** In the order they run. */
export const SUITES: Readonly<Record<SuiteName, Suite>> = {
  limits: {
    async run(session) {
      const limits = await session.limits();
      return { results: { limits }, lines: limitsLines(limits) };
    },
  },
  kernels: {
    async run(session) {
      const kernels = await measureKernels(session);
      return { results: { kernels }, lines: kernelsLines(kernels) };
    },
  },
  generate: {
    async run(session) {
      const generate = await measureGenerate(session);
      return { results: { generate }, lines: generateLines(generate) };
    },
  },
  scaling: {
    async run(session) {
      const scaling = await measureScaling(session);
      return { results: { scaling }, lines: scalingLines(scaling) };
    },
  },
  model: {
    async run(session) {
      const model = await measureModel(session);
      return { results: { model }, lines: modelLines(model, session.settings.profile) };
    },
  },
  peers: {
    async run({ settings }, note) {
      const peers = await measurePeers(settings.runs, note);
      return { results: { peers }, lines: peersLines(peers) };
    },
  },
};

/** Without names: what needs nothing but this checkout, and fits ten minutes without a GPU. */
export const DEFAULT_SUITES: readonly SuiteName[] = ['limits', 'kernels', 'generate', 'scaling'];

/** @throws OptionError that lists the suites when a name is none of them. */
export function parseSuites(names: readonly string[]): readonly SuiteName[] {
  const known = Object.keys(SUITES) as SuiteName[];
  const bad = names.find((name) => !(name in SUITES));
  if (bad !== undefined) {
    throw new OptionError(`no suite "${bad}": there are ${known.join(', ')}`);
  }
  return names.length === 0 ? DEFAULT_SUITES : known.filter((name) => names.includes(name));
}

export interface RunOptions {
  readonly print: (lines: readonly string[]) => void;
  readonly note: (line: string) => void;
  /** Default: the device of this machine. */
  readonly open?: () => Promise<NodeDevice>;
  readonly suites?: Readonly<Record<string, Suite>>;
}

/**
 * Runs suites on one adapter. Nothing of a suite is printed before it is through, and nothing is
 * returned unless all are.
 * @throws Refusal when what was measured cannot be trusted; DeviceError when the device fails.
 */
export async function runSuites(
  names: readonly string[],
  settings: Settings,
  { print, note, open, suites = SUITES }: RunOptions,
): Promise<BenchFile> {
  const session = await Session.start(settings, open, note);
  for (const line of session.notes) note(line);
  print(environmentLines(session.environment));
  let results: Results = {};
  for (const name of names) {
    const started = performance.now();
    note(`${name} ...`);
    const made = await suites[name]?.run(session, note);
    if (!made) continue;
    results = { ...results, ...made.results };
    print(made.lines);
    note(`${name}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  // Floors are meaningless without the limits that they come from.
  const withLimits = session.measured ? { limits: await session.limits(), ...results } : results;
  print(summaryLines(withLimits));
  return { ...session.environment, results: withLimits };
}
