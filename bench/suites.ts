/** The suites by name, and running some of them as one run. */
import { OptionError } from '../src/errors.ts';
import type { NodeDevice } from '../src/node/device.ts';
import { type EngineResult, engineTables, measureEngine } from './engine.ts';
import { type Environment, environmentLines } from './environment.ts';
import { type GenerateResult, generateTables, measureGenerate } from './generate/suite.ts';
import {
  type FidelityResult,
  fidelityNotes,
  fidelityTables,
  measureFidelity,
} from './gpu/fidelity.ts';
import { type GpuResult, gpuNotes, gpuTables, measureGpu } from './gpu/suite.ts';
import {
  type KernelsResult,
  kernelsNotes,
  kernelsTables,
  measureKernels,
} from './kernels/suite.ts';
import { type Limits, limitsTables } from './limits.ts';
import { type ModelResult, measureModel, modelTables } from './model/suite.ts';
import type { PeerResult } from './peers/result.ts';
import { measurePeers, peersAreThere, peersNotes, peersTables } from './peers/suite.ts';
import { measureTorch, type TorchResult, torchNotes, torchTables } from './peers/torch.ts';
import { measureScaling, type ScalingResult, scalingNotes, scalingTables } from './scaling.ts';
import { measureServe, type ServeResult, serveTables } from './serve/suite.ts';
import { Session } from './session.ts';
import type { Settings } from './settings.ts';
import { type Table, tableLines } from './table.ts';
import { measureWindows, type WindowsResult, windowsTables } from './windows.ts';

/** What the suites of one run measured. */
export interface Results {
  readonly fidelity?: FidelityResult;
  readonly limits?: Limits;
  readonly kernels?: KernelsResult;
  readonly generate?: GenerateResult;
  readonly scaling?: ScalingResult;
  readonly model?: ModelResult;
  readonly gpu?: GpuResult;
  readonly torch?: TorchResult;
  readonly peers?: readonly PeerResult[];
  readonly windows?: WindowsResult;
  readonly engine?: EngineResult;
  readonly serve?: ServeResult;
}

/** A file of results. */
export type BenchFile = Environment & {
  readonly results: Results;
  /** Why suites have none, by name. */
  readonly failed?: Readonly<Record<string, string>>;
};

export type SuiteName = keyof Results;

export interface Suite<R> {
  measure(session: Session): Promise<R>;
  tables(result: R): readonly Table[];
  /** Lines below the tables: what was left out. */
  notes?(result: R): readonly string[];
}

type Suites = { readonly [Name in SuiteName]-?: Suite<NonNullable<Results[Name]>> };

/** In the order they run. */
export const SUITES: Suites = {
  fidelity: { measure: measureFidelity, tables: fidelityTables, notes: fidelityNotes },
  limits: { measure: (session) => session.limits(), tables: limitsTables },
  kernels: { measure: measureKernels, tables: kernelsTables, notes: kernelsNotes },
  generate: { measure: measureGenerate, tables: generateTables },
  scaling: { measure: measureScaling, tables: scalingTables, notes: scalingNotes },
  model: { measure: measureModel, tables: modelTables },
  gpu: { measure: measureGpu, tables: gpuTables, notes: gpuNotes },
  torch: { measure: () => measureTorch(), tables: torchTables, notes: torchNotes },
  peers: { measure: measurePeers, tables: peersTables, notes: peersNotes },
  windows: { measure: measureWindows, tables: windowsTables },
  engine: { measure: measureEngine, tables: engineTables },
  serve: { measure: measureServe, tables: serveTables },
};

/** Without names: what needs nothing but this checkout, and fits ten minutes without a GPU. */
export const DEFAULT_SUITES: readonly SuiteName[] = ['limits', 'kernels', 'generate', 'scaling'];

/** With --gpu: fidelity first; other runtimes where they are. */
export const gpuSuites = (): readonly SuiteName[] => [
  ...(['fidelity', 'limits', 'gpu', 'windows', 'engine', 'torch'] as const),
  ...(peersAreThere() ? (['peers'] as const) : []),
];

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
  readonly suites?: Readonly<Record<string, Suite<unknown>>>;
  /** A suite that fails leaves the others, and is listed. Default false. */
  readonly keepGoing?: boolean;
}

/**
 * Runs suites on one adapter. Nothing of a suite is printed before it is through, and nothing is
 * returned unless all are, or it keeps going.
 * @throws Refusal when what was measured cannot be trusted; DeviceError when the device fails.
 */
export async function runSuites(
  names: readonly string[],
  settings: Settings,
  { print, note, open, suites = SUITES, keepGoing = false }: RunOptions,
): Promise<BenchFile> {
  const session = await Session.start(settings, open, note);
  for (const line of session.notes) note(line);
  print(environmentLines(session.environment));
  let results: Results = {};
  const failed: Record<string, string> = {};
  for (const name of names) {
    const suite = suites[name];
    if (!suite) continue;
    const started = performance.now();
    note(`${name} ...`);
    try {
      const result = await suite.measure(session);
      results = { ...results, [name]: result };
      print([...tableLines(suite.tables(result)), ...(suite.notes?.(result) ?? [])]);
    } catch (error) {
      if (!keepGoing) throw error;
      failed[name] = error instanceof Error ? error.message : String(error);
      note(`${name} failed: ${failed[name]}`);
    }
    note(`${name}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  // Floors are meaningless without the limits that they come from.
  const measured = session.measured && failed.limits === undefined;
  const withLimits = measured ? { limits: await session.limits(), ...results } : results;
  const isWhole = Object.keys(failed).length === 0;
  return { ...session.environment, results: withLimits, ...(!isWhole && { failed }) };
}
