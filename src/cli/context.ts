/** What every command is given. */
import { type KernelChoices, openDevice } from '../node/device.ts';
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
}

/** What was measured on the adapter before, and how the models that are loaded on it are made. */
export interface Choices {
  readonly tuned: TunedTiles;
  readonly kernels: KernelChoices;
}

/** Runs `work` with a device, says which adapter it is, and closes it in any case. */
export async function withDevice<T>(
  report: Report,
  work: (device: GPUDevice, facts: AdapterSummary, choices: Choices) => Promise<T>,
): Promise<T> {
  const { device, adapter, notes, toggles, software, tuned, kernels, close } = await openDevice();
  try {
    for (const note of notes) report.note(note);
    report.line(`adapter  ${describeAdapter(adapter.info, software)}`);
    const { vendor, architecture, device: name, description } = adapter.info;
    const facts = { vendor, architecture, device: name, description, software, notes, toggles };
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
