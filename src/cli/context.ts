/** What every command is given. */
import { type KernelChoices, type OpenOptions, openDevice } from '../node/device.ts';
import { readTiles, type TunedTiles } from '../node/tiles-file.ts';
import { describeAdapter, Report, type Streams } from './report.ts';

/** Options every command has. */
export interface OutputOptions {
  readonly json?: boolean | undefined;
}

/** Options of every command that uses a model. */
export interface CommonOptions extends OutputOptions {
  /** Folder of the model. */
  readonly model: string;
}

/** The adapter as `--json` prints it. */
export interface AdapterSummary {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly software: boolean;
  readonly notes: readonly string[];
  readonly toggles: readonly string[];
  /** Whether Dawn validated every call. */
  readonly validation: boolean;
}

/** What was measured on the adapter before, and how the models that are loaded on it are made. */
export interface Choices {
  readonly tuned: TunedTiles;
  readonly kernels: KernelChoices;
}

type Work<T> = (device: GPUDevice, facts: AdapterSummary, choices: Choices) => Promise<T>;

/** Runs `work` with a device, says which adapter it is, and closes it in any case. */
export const withDevice = <T>(report: Report, work: Work<T>): Promise<T> =>
  withOpened(report, {}, work);

/** The same for long runs: on a GPU without Dawn's validation of every call. */
export const withFastDevice = <T>(report: Report, work: Work<T>): Promise<T> =>
  withOpened(report, { validation: false }, work);

async function withOpened<T>(report: Report, options: OpenOptions, work: Work<T>): Promise<T> {
  const opened = await openDevice(options);
  const { device, adapter, notes, toggles, validation, software, tuned, kernels, close } = opened;
  try {
    for (const note of notes) report.note(note);
    report.line(`adapter  ${describeAdapter(adapter.info, software)}`);
    const { vendor, architecture, device: name, description } = adapter.info;
    const named = { vendor, architecture, device: name, description };
    const facts = { ...named, software, notes, toggles, validation };
    const known = tuned ?? (await readTiles(device, toggles, kernels.variant));
    return await work(device, facts, { tuned: known, kernels });
  } finally {
    report.stopProgress();
    close();
  }
}

/** A report for the options of a command. */
export function reportFor(options: OutputOptions, streams: Streams): Report {
  return new Report({ json: options.json ?? false, ...streams });
}
