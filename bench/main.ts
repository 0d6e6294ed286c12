/** `npm run bench`: how fast this project is here, and how far that is from the machine's limits. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { runScript } from '../scripts/script.ts';
import { integer } from '../src/cli/arguments.ts';
import { resolveModel } from '../src/cli/models.ts';
import { OptionError } from '../src/errors.ts';
import { GPT_SIZES, type GptSize } from '../src/models/gpt-config.ts';
import { PRECISIONS } from '../src/models/precision.ts';
import { Claims } from '../src/node/claims.ts';
import { defaultModelFolder, packageFolder } from '../src/node/files.ts';
import { assertWritable, writeFileAtomic } from '../src/node/output.ts';
import { resultName } from './environment.ts';
import { hasFailed } from './gpu/fidelity.ts';
import { hasMissed } from './gpu/suite.ts';
import type { Grid, Settings } from './settings.ts';
import { gpuSuites, parseSuites, runSuites, SUITES } from './suites.ts';

interface Options extends Settings {
  readonly gpu?: boolean;
  readonly small?: boolean;
  readonly json?: string;
  readonly save?: boolean;
}

/** Most images of a batch of the suite `model`; `generate` makes no larger ones unless asked to. */
const MOST_IMAGES = 16;
const GRIDS: readonly Grid[] = [16, 24, 32];

const print = (lines: readonly string[]): void => {
  if (lines.length > 0) console.log(`${lines.join('\n')}\n`);
};
const note = (text: string): void => console.error(`bench: ${text}`);

/** @returns The exit code: 1 when the device computes something else than it should, or a part of --gpu failed. */
async function bench(names: readonly string[], options: Options): Promise<number> {
  const { json, save, gpu, small, ...given } = options;
  if (gpu && names.length > 0) throw new OptionError('--gpu is a choice of suites: name no other');
  if (small && !gpu) throw new OptionError('--small belongs to --gpu; --quick is for all suites');
  const suites = gpu ? gpuSuites() : parseSuites(names);
  const settings = { ...given, quick: given.quick || (small ?? false) };
  if (json !== undefined) {
    const claims = new Claims();
    claims.readsModel('--model', settings.model);
    claims.writes('--json', json);
    assertWritable(json);
  }
  const file = await runSuites(suites, settings, { print, note, keepGoing: gpu ?? false });
  const text = `${JSON.stringify(file, null, 2)}\n`;
  if (json !== undefined) writeFileAtomic(json, text);
  if (save || (gpu && json === undefined)) {
    const saved = gpu ? [small ? 'gpu-small' : 'gpu'] : names;
    const path = join(packageFolder(), 'bench', 'results', resultName(file, saved));
    mkdirSync(dirname(path), { recursive: true });
    writeFileAtomic(path, text);
    note(`saved ${path}`);
  }
  const { fidelity, gpu: ofGpu } = file.results;
  const failed = file.failed || (fidelity && hasFailed(fidelity)) || (ofGpu && hasMissed(ofGpu));
  return failed ? 1 : 0;
}

const list =
  <T>(parse: (word: string) => T) =>
  (text: string): T[] =>
    text.split(',').map((word) => parse(word.trim()));

/** One of some values, with or without a prefix. */
const oneOf =
  <T extends string | number>(values: readonly T[], prefix = '') =>
  (word: string): T => {
    const value = values.find((v) => [word, prefix + word].includes(String(v)));
    if (value !== undefined) return value;
    throw new InvalidArgumentError(`Expected some of ${values.join(', ')}.`);
  };

const models = list(oneOf(Object.keys(GPT_SIZES) as GptSize[], 'GPT-'));
const grids = list(oneOf(GRIDS));

const program = new Command('bench')
  .description(
    `Measures speed and memory against the limits of this machine. Suites: ${Object.keys(SUITES).join(', ')}.`,
  )
  .argument('[suite...]', 'suites to run (default: limits, kernels, generate, scaling)')
  .option('--gpu', 'all of a GPU in five minutes: fidelity, limits, steps, images, kernels; saved')
  .option('--small', 'with --gpu: small sizes, as on software adapters')
  .option('--json <file>', 'also write all numbers to a file')
  .option('--save', 'also write them to bench/results, for npm run bench:report')
  .option('--runs <n>', 'runs after the first', integer(1, 1000), 3)
  .option('--quick', 'fewer and shorter cases', false)
  .option('--cases <text,...>', 'only cases whose names contain one of these', list(String))
  .option(
    '--models <name,...>',
    'decoders of kernels, generate, scaling and gpu, such as B,XL',
    models,
  )
  .option('--grids <n,...>', 'sides of the grid of tokens in generate and peers', grids)
  .addOption(
    new Option(
      '--weights <dtype>',
      'storage of random weights (default: as f16 is loaded here)',
    ).choices(['f32', 'f16', 'bf16', 'int8', 'int4']),
  )
  .addOption(
    new Option('--precision <name>', 'as generate has it (default: fast on GPUs)').choices(
      PRECISIONS,
    ),
  )
  .addOption(new Option('--kv <dtype>', 'storage of the KV cache').choices(['f32', 'f16']))
  .option('--no-matrix', 'leave matrices of subgroups alone')
  .option('--seconds <n>', 'after which gpu begins nothing new', integer(1, 3600))
  .option('--budget <seconds>', 'most that a case of scaling may take', integer(1, 3600), 20)
  .addOption(
    new Option('--model <folder>', 'folder or name of the model of the suite model')
      .argParser(resolveModel)
      .default(defaultModelFolder(), 'the one shipped'),
  )
  .option(
    '--images <n,...>',
    'batch sizes of the suite model',
    list(integer(1, MOST_IMAGES)),
    [1, 4],
  );
await runScript(program, () => bench(program.args, program.opts<Options>()));
