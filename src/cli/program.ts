/** The commands of `llamagen`, and their options. */
import { Command, Option } from 'commander';
import { IGNORABLE } from '../models/agreement.ts';
import { WEIGHT_DTYPES } from '../models/precision.ts';
import { defaultModelFolder } from '../node/files.ts';
import { VERSION } from '../version.ts';
import { TARGET_DTYPES } from '../weights/formats.ts';
import { integer, integers, path, words } from './arguments.ts';
import {
  type AddCommand,
  LABELS,
  outDir,
  PROFILE,
  precision,
  type Runner,
  runner,
  SCALE,
} from './command-kit.ts';
import type { CommonOptions } from './context.ts';
import type { ConvertCommand } from './convert.ts';
import type { Flags } from './failure.ts';
import { addEmbed, addGenerate } from './generate-command.ts';
import { isFile, modelNamed, resolveModel } from './models.ts';
import type { PullOptions } from './pull.ts';
import type { Streams } from './report.ts';
import { addServe } from './serve-command.ts';
import { addWorker } from './worker-command.ts';

/** Options of the library that have other names here. */
const OTHER_FLAGS = { classes: '--class', kvDtype: '--kv' } as const;

/** Most rows of a decoding step: 128 guided images. */
const MAX_ROWS = 256;

const modelOption = (without = ''): Option =>
  new Option(
    '--model <folder>',
    `model folder, or the name of a model that "llamagen info" shows${without}`,
  ).argParser(resolveModel);

/** @param signal Stops whatever runs. */
export function program(signal: AbortSignal, streams: Streams): Command {
  const run = runner(signal, streams);
  const llamagen = new Command('llamagen')
    .description('Generates images from class names and prompts with LlamaGen on WebGPU.')
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
      modelOption().default(defaultModelFolder(), 'the one shipped'),
    );
  // Which it is without the option depends on what is drawn.
  const withOwnModel =
    (without: string): AddCommand =>
    (name, description) =>
      command(name, description).addOption(modelOption(without));
  addGenerate(withOwnModel(' (default: fruits-96, of prompts scenes-96; both are shipped)'), run);
  addEmbed(withOwnModel(' (default: scenes-96, which is shipped)'), run);
  addDecode(withModel, run);
  addInfo(withModel, run);
  addTune(withModel, run);
  addServe(withModel, run);
  addWorker(withModel, run);
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
  const infoModel = run(async () => (await import('./info-model.ts')).runInfoModel);
  command(
    'info',
    'Show the adapter, what it selects, and the models present; or how a picture was made, or what a model draws.',
  )
    .argument('[what]', 'a PNG file: show how it was made; a model: show what it draws', path)
    .action((what: string | undefined, options: CommonOptions) => {
      if (what === undefined) return info(options);
      if (isFile(what)) return infoPicture({ ...options, file: what });
      const model = /\.png$/i.test(what) ? modelNamed(what) : resolveModel(what);
      if (model === undefined) return infoPicture({ ...options, file: what });
      return infoModel({ ...options, model });
    });
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
    .option(
      '--t5 <folder>',
      'of a text-conditional decoder: the T5 that reads its prompts, as on the hub',
      path,
    )
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
