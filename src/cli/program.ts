/** The commands of `llamagen`, and their options. */
import { Command, Option } from 'commander';
import { MOST_ROWS } from '../engine/best-window.ts';
import { IGNORABLE } from '../models/agreement.ts';
import { PRECISIONS, WEIGHT_DTYPES } from '../models/precision.ts';
import { defaultModelFolder } from '../node/files.ts';
import { MAX_SCALE } from '../picture/resample.ts';
import { VERSION } from '../version.ts';
import { TARGET_DTYPES } from '../weights/formats.ts';
import {
  collect,
  decimal,
  decimalFrom,
  integer,
  integerOrAuto,
  integers,
  MAX_BATCH,
  MAX_COUNT,
  path,
  words,
} from './arguments.ts';
import { type CommonOptions, type OutputOptions, reportFor } from './context.ts';
import type { ConvertCommand } from './convert.ts';
import type { Flags } from './failure.ts';
import { resolveModel } from './models.ts';
import type { PullOptions } from './pull.ts';
import type { Report, Streams } from './report.ts';

const PROFILE = [
  '--profile [file]',
  'print the time of every kernel; with a file, write a trace for Perfetto',
] as const;

const LABELS = [
  '--labels',
  'write the class below each image, and the seed where classes have several',
] as const;

const SCALE = [
  '--scale <x>',
  'make images up to 8 times as wide and high',
  decimalFrom(1, MAX_SCALE),
  1,
] as const;

/** Options of the library that have other names here. */
const OTHER_FLAGS = { classes: '--class', kvDtype: '--kv' } as const;

/** Most rows of a decoding step: 128 guided images. */
const MAX_ROWS = 256;

const MOST = Number.MAX_SAFE_INTEGER;

/** Adds a command with the options that all of its kind have. */
type AddCommand = (name: string, description: string) => Command;

type Runner = ReturnType<typeof runner>;

/** Does what a command's options say. */
type Action<O> = (options: O, report: Report, signal: AbortSignal) => Promise<void>;

/**
 * Makes commander call a command's action with its report, its bar removed at the end.
 * @param load Imports the action: help and wrong usage need not wait for the rest of the library.
 */
function runner(signal: AbortSignal, streams: Streams) {
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

const outDir = (): Option =>
  new Option('--out-dir <folder>', 'one PNG per image, written when it is there').conflicts('out');

const precision = (): Option =>
  new Option(
    '--precision <name>',
    'exact: as in f32; fast: f16 cache, halves on matrix units (default: fast on GPUs)',
  ).choices(PRECISIONS);

/** @param signal Stops whatever runs. */
export function program(signal: AbortSignal, streams: Streams): Command {
  const run = runner(signal, streams);
  const llamagen = new Command('llamagen')
    .description('Generates images from class names with LlamaGen on WebGPU.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'llamagen: ')),
    });
  const command: AddCommand = (name, description) =>
    llamagen
      .command(name)
      .description(description)
      .option('--json', 'print one JSON object on stdout, all else on stderr')
      .option('--verbose', 'print the stack of an error');
  const withModel: AddCommand = (name, description) =>
    command(name, description).addOption(
      new Option(
        '--model <folder>',
        'model folder, or the name of a model that "llamagen info" shows',
      )
        .argParser(resolveModel)
        .default(defaultModelFolder(), 'the one shipped'),
    );
  addGenerate(withModel, run);
  addDecode(withModel, run);
  addInfo(withModel, run);
  addTune(withModel, run);
  addConvert(command, run);
  addPull(command, run);
  llamagen
    .command('bench')
    .description(
      'Measure this machine, in a checkout of the repository; "bench --gpu" is all of a GPU in five minutes.',
    )
    .argument('[args...]', 'as npm run bench takes them')
    .helpOption(false)
    .allowUnknownOption()
    .action(async (args: readonly string[]) => (await import('./bench.ts')).runBench(args, signal));
  return llamagen;
}

function addGenerate(command: AddCommand, run: Runner): void {
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
    .addOption(precision())
    .addOption(
      new Option(
        '--kv <type>',
        'storage of the KV cache (default: f32 in exact, f16 in fast)',
      ).choices(['f32', 'f16']),
    )
    .option('--batch <n>', 'most images side by side (default: 16)', integer(1, MAX_BATCH))
    .option(
      '--window <n>',
      'positions a pass of each image: guesses save passes, tokens are the same (default: auto, as many as pay)',
      integerOrAuto(1, MOST_ROWS),
    )
    .option('--from <file>', 'begin each image with the upper rows of this picture (PNG)')
    .option('--keep-rows <n>', 'rows of tokens to keep of it', integer(1, MOST))
    .option('--preview <file>', 'write the first image of each batch while it is drawn')
    .option('--preview-every <n>', 'tokens between previews (default: a quarter)', integer(1, MOST))
    .option('--out <file>', 'all images in one PNG; - is standard output', 'llamagen.png')
    .addOption(outDir())
    .option('--tokens-out <file>', 'save the tokens as JSON; - is standard output')
    .option(...LABELS)
    .option(...SCALE)
    .option(...PROFILE)
    .action(run(async () => (await import('./generate.ts')).runGenerate));
}

function addDecode(command: AddCommand, run: Runner): void {
  command('decode', 'Turn saved tokens into pixels.')
    .requiredOption('--tokens <file>', 'a file of --tokens-out')
    .option('--out <file>', 'all images in one PNG; - is standard output')
    .addOption(outDir())
    .addOption(precision())
    .option(...LABELS)
    .option(...SCALE)
    .option(...PROFILE)
    .action(run(async () => (await import('./decode.ts')).runDecode));
}

function addInfo(command: AddCommand, run: Runner): void {
  const info = run(async () => (await import('./info.ts')).runInfo);
  const infoPicture = run(async () => (await import('./info-picture.ts')).runInfoPicture);
  command(
    'info',
    'Show the adapter, what it selects, and the models present; or how a picture was made.',
  )
    .argument('[picture]', 'a PNG file: show how it was made', path)
    .action((file: string | undefined, options: CommonOptions) =>
      file === undefined ? info(options) : infoPicture({ ...options, file }),
    );
}

function addTune(command: AddCommand, run: Runner): void {
  command('tune', 'Measure which tiles of the kernels are fastest on this adapter, and keep them.')
    .option(
      '--rows <list>',
      'rows of the decoding steps to measure, with commas between: 2 is one guided image (default: powers of two up to 64; 2,16 on software adapters)',
      integers(1, MAX_ROWS),
    )
    .addOption(
      new Option('--dtype <type>', 'storage of the weights on the device')
        .choices(WEIGHT_DTYPES)
        .default('auto'),
    )
    .option('--again', 'measure what was measured before too')
    .action(run(async () => (await import('./tune.ts')).runTune));
}

function addConvert(command: AddCommand, run: Runner): void {
  const convert = run(async () => (await import('./convert.ts')).runConvert);
  command('convert', 'Make a model folder of official checkpoints (.pt or .safetensors).')
    .argument(
      '<files...>',
      'a decoder and a tokenizer, in any order; of shards their index or folder',
    )
    .option('--out <folder>', "the folder to make (default: --name in the user's models)", path)
    .addOption(
      new Option('--dtype <type>', 'decoder weights (default: bf16; f16 if stored so)').choices(
        TARGET_DTYPES,
      ),
    )
    .option(
      '--grid <n>',
      'rows of the token grid, where neither the name nor the file tells',
      integer(1, 256),
    )
    .option('--t5 <folder>', 'of a decoder of texts: the T5 that reads them, as on the hub', path)
    .option('--heads <n>', 'attention heads, where neither size nor file tells', integer(1, 65536))
    .option(
      '--ignore <what>',
      `what is wrong about a file, and not to be used: ${IGNORABLE.join(', ')}`,
      words(IGNORABLE),
    )
    .option(
      '--name <name>',
      "name of the model (default: the folder's, or that of an official decoder)",
    )
    .action((files: readonly string[], options: Omit<ConvertCommand, 'files'>) =>
      convert({ ...options, files }),
    );
}

function addPull(command: AddCommand, run: Runner): void {
  const pull = run<PullOptions>(async () => {
    // The system's search for a name cannot be stopped, and a process ends only after it: 2 s for each
    // server of names in place of 10 (glibc).
    process.env.RES_OPTIONS ||= 'timeout:1 attempts:2';
    const { runPull } = await import('./pull.ts');
    const { convertCheckpoint } = await import('../node/convert.ts');
    return (options, report, stop) =>
      runPull(options, report, stop, { convert: convertCheckpoint });
  });
  command('pull', 'Download an official model and make a model folder of it.')
    .argument('[name]', 'such as c2i-B-256')
    .option(
      '--list',
      'show all official models, what they take and whether this adapter holds them',
    )
    .addOption(
      new Option('--markdown', 'with --list, the table of docs/checkpoints.md')
        .implies({ list: true })
        .conflicts('json'),
    )
    .option('--out <folder>', "the folder to make (default: <name> in the user's models)", path)
    .addOption(
      new Option('--dtype <type>', 'how the folder stores the decoder')
        .choices(TARGET_DTYPES)
        .default('bf16', 'bf16, the official precision'),
    )
    .option('--force', 'download a model that this adapter cannot hold')
    .action((name: string | undefined, options: Omit<PullOptions, 'name'>) =>
      pull({ ...options, name }),
    );
}

/** The flags of all commands, by the names that the library gives to what they set. */
export function flagsOf(llamagen: Command): Flags {
  const options = llamagen.commands.flatMap((command) => command.options);
  const named = options.map((option) => [option.attributeName(), option.long ?? ''] as const);
  return new Map([...named, ...Object.entries(OTHER_FLAGS)]);
}
