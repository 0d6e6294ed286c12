/** What commands have in common: how they are added and run, and options of several. */
import { type Command, Option } from 'commander';
import { PRECISIONS } from '../models/precision.ts';
import { MAX_SCALE } from '../picture/resample.ts';
import { decimalFrom } from './arguments.ts';
import { type OutputOptions, reportFor } from './context.ts';
import type { Report, Streams } from './report.ts';

export const PROFILE = [
  '--profile [file]',
  'print the time of every kernel; with a file, write a trace for Perfetto',
] as const;

export const LABELS = [
  '--labels',
  'write the class or prompt below each image, and the seed where it has several',
] as const;

export const SCALE: readonly [string, string, (text: string) => number, number] = [
  '--scale <x>',
  'make images up to 8 times as wide and high',
  decimalFrom(1, MAX_SCALE),
  1,
];

/** Adds a command with the options that all of its kind have. */
export type AddCommand = (name: string, description: string) => Command;

/** Makes commander's action of that of a command, which is imported when it runs. */
export type Runner = <O extends OutputOptions>(
  load: () => Promise<Action<O>>,
) => (options: O) => Promise<void>;

/** Does what a command's options say. */
export type Action<O> = (options: O, report: Report, signal: AbortSignal) => Promise<void>;

/**
 * Makes commander call a command's action with its report, its bar removed at the end.
 * @param load Imports the action: help and wrong usage need not wait for the rest of the library.
 */
export function runner(signal: AbortSignal, streams: Streams): Runner {
  return <O extends OutputOptions>(load: () => Promise<Action<O>>) =>
    async (options: O): Promise<void> => {
      const report = reportFor(options, streams);
      try {
        const action = await load();
        await action(options, report, signal);
      } finally {
        report.stopProgress();
      }
    };
}

/** For pictures in a folder. */
export const outDir = (): Option =>
  new Option('--out-dir <folder>', 'one PNG per image, written when it is there').conflicts('out');

/** What computes as f32 does, or faster. */
export const precision = (): Option =>
  new Option(
    '--precision <name>',
    'exact: as in f32; fast: f16 cache, halves on matrix units (default: fast on GPUs)',
  ).choices(PRECISIONS);
