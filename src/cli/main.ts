#!/usr/bin/env node
/** The command `llamagen`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { OptionError } from '../errors.ts';
import { WEIGHT_DTYPES } from '../models/precision.ts';
import { defaultModelFolder, packageFolder } from '../node/files.ts';
import { TARGET_DTYPES } from '../weights/formats.ts';
import { collect, decimal, integer, integers, MAX_COUNT } from './arguments.ts';
import { type OutputOptions, reportFor } from './context.ts';
import type { ConvertCommand } from './convert.ts';
import { resolveModel } from './models.ts';
import type { PullOptions } from './pull.ts';
import type { Report } from './report.ts';

/** Exit codes, as shells know them. */
const FAILED = 1;
const WRONG_USAGE = 2;
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** How long a failed run may take to end by itself. */
const LINGER_MS = 200;

const PROFILE = [
  '--profile [file]',
  'print the time of every kernel; with a file, write a trace for Perfetto',
] as const;

/** Most rows of a decoding step: 128 guided images. */
const MAX_ROWS = 256;

const MOST = Number.MAX_SAFE_INTEGER;

/** Does what a command's options say. */
type Action<O> = (options: O, report: Report, signal: AbortSignal) => Promise<void>;

/**
 * Makes commander call a command's action with its report, its bar removed at the end.
 * @param load Imports the action: help and wrong usage need not wait for the rest of the library.
 */
function run<O extends OutputOptions>(load: () => Promise<Action<O>>, signal: AbortSignal) {
  return async (options: O): Promise<void> => {
    const report = reportFor(options);
    try {
      const action = await load();
      await action(options, report, signal);
    } finally {
      report.stopProgress();
    }
  };
}

function program(signal: AbortSignal): Command {
  const { version } = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8'));
  const llamagen = new Command('llamagen')
    .description('Generates images from class names with LlamaGen on WebGPU.')
    .version(version)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'llamagen: ')),
    });
  const model = defaultModelFolder();
  const command = (name: string, description: string): Command =>
    llamagen
      .command(name)
      .description(description)
      .addOption(
        new Option('--model <folder>', 'model folder, or the name of one under models/')
          .argParser(resolveModel)
          .default(model, 'the one shipped'),
      )
      .option('--json', 'print one JSON object on stdout, all else on stderr')
      .option('--verbose', 'print the stack of an error');
  command('generate', 'Make images, one per class and count.')
    .requiredOption(
      '--class <names>',
      'class names or indices, with commas between; "all": every class',
      collect,
    )
    .option('--count <n>', 'images per class', integer(1, MAX_COUNT), 1)
    .option('--seed <s>', 'image i draws with seed s+i (default: random)', integer(0, MOST))
    .option('--cfg-scale <x>', 'guidance; 1 is none', decimal)
    .option('--cfg-interval <n>', 'guide only the first tokens; -1 guides all', integer(-1, MOST))
    .option('--temperature <t>', 'randomness', decimal)
    .option('--top-k <k>', 'draw from the k best codes; 0 keeps all', integer(0, MOST))
    .option('--top-p <p>', 'draw from this share of probability', decimal)
    .option('--greedy', 'take the best code, draw nothing')
    .addOption(
      new Option('--dtype <type>', 'storage of the weights on the device')
        .choices(WEIGHT_DTYPES)
        .default('auto'),
    )
    .option('--out <file>', 'all images in one PNG', 'llamagen.png')
    .addOption(new Option('--out-dir <folder>', 'one PNG per image').conflicts('out'))
    .option('--tokens-out <file>', 'save the tokens as JSON')
    .option(...PROFILE)
    .action(run(async () => (await import('./generate.ts')).runGenerate, signal));
  command('decode', 'Turn saved tokens into pixels.')
    .requiredOption('--tokens <file>', 'a file of --tokens-out')
    .requiredOption('--out <file>', 'all images in one PNG')
    .option(...PROFILE)
    .action(run(async () => (await import('./decode.ts')).runDecode, signal));
  command('info', 'Show the adapter, what it selects, and the models present.').action(
    run(async () => (await import('./info.ts')).runInfo, signal),
  );
  command('tune', 'Measure which tiles of the kernels are fastest on this adapter, and keep them.')
    .option(
      '--rows <list>',
      'rows of the decoding steps to measure, with commas between: 2 is one guided image',
      integers(1, MAX_ROWS),
      [2, 16],
    )
    .addOption(
      new Option('--dtype <type>', 'storage of the weights on the device')
        .choices(WEIGHT_DTYPES)
        .default('auto'),
    )
    .option('--again', 'measure what was measured before too')
    .action(run(async () => (await import('./tune.ts')).runTune, signal));
  const convert = run(async () => (await import('./convert.ts')).runConvert, signal);
  llamagen
    .command('convert')
    .description('Make a model folder of official checkpoints (.pt or .safetensors).')
    .argument('<files...>', 'a decoder and a tokenizer, in any order')
    .requiredOption('--out <folder>', 'the folder to make')
    .addOption(
      new Option('--dtype <type>', 'decoder weights (default: bf16; f16 if stored so)').choices(
        TARGET_DTYPES,
      ),
    )
    .option(
      '--grid <n>',
      'rows of the token grid, where the file name does not tell',
      integer(1, 256),
    )
    .option('--heads <n>', 'attention heads, for sizes that are not official', integer(1, 65536))
    .option('--name <name>', 'name of the model (default: that of the folder)')
    .option('--json', 'print one JSON object on stdout, all else on stderr')
    .option('--verbose', 'print the stack of an error')
    .action((files: readonly string[], options: Omit<ConvertCommand, 'files'>) =>
      convert({ ...options, files }),
    );
  const pull = run<PullOptions>(async () => {
    // The system's search for a name cannot be stopped, and a process ends only after it: 2 s for each
    // server of names in place of 10 (glibc).
    process.env.RES_OPTIONS ||= 'timeout:1 attempts:2';
    const { runPull } = await import('./pull.ts');
    const { convertCheckpoint } = await import('../node/convert.ts');
    return (options, report, stop) =>
      runPull(options, report, stop, { convert: convertCheckpoint });
  }, signal);
  llamagen
    .command('pull')
    .description('Download an official model and make a model folder of it.')
    .argument('[name]', 'such as c2i-B-256')
    .option(
      '--list',
      'show all official models, what they take and whether this adapter holds them',
    )
    .option('--out <folder>', 'the folder to make (default: models/<name>)')
    .addOption(
      new Option('--dtype <type>', 'how the folder stores the decoder')
        .choices(TARGET_DTYPES)
        .default('bf16', 'bf16, the official precision'),
    )
    .option('--force', 'download a model that this adapter cannot hold')
    .option('--json', 'print one JSON object on stdout, all else on stderr')
    .option('--verbose', 'print the stack of an error')
    .action((name: string | undefined, options: Omit<PullOptions, 'name'>) =>
      pull({ ...options, ...(name !== undefined && { name }) }),
    );
  return llamagen;
}

/** Says what went wrong, and with which code to exit. */
function explain(error: unknown, verbose: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`llamagen: ${message}\n`);
  if (verbose && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof OptionError ? WRONG_USAGE : FAILED;
}

async function main(argv: readonly string[]): Promise<void> {
  const stop = new AbortController();
  for (const [name, code] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(code);
      process.exitCode = code;
      stop.abort();
    });
  }
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // The reader went away, as in `llamagen info | head`.
      if (error.code !== 'EPIPE') throw error;
    });
  }
  try {
    await program(stop.signal).parseAsync(argv);
  } catch (error) {
    if (stop.signal.aborted) process.stderr.write('llamagen: stopped\n');
    else process.exitCode = explain(error, argv.includes('--verbose'));
    // What is still open must not keep the process; one that has nothing open ends before.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

await main(process.argv);
