/** `npm run bench`: how fast this project is here, and how far that is from the machine's limits. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { runScript } from '../scripts/script.ts';
import { integer } from '../src/cli/arguments.ts';
import { resolveModel } from '../src/cli/models.ts';
import { GPT_SIZES, type GptSize } from '../src/models/gpt-config.ts';
import { PRECISIONS } from '../src/models/precision.ts';
import { Claims } from '../src/node/claims.ts';
import { defaultModelFolder, packageFolder } from '../src/node/files.ts';
import { assertWritable, writeFileAtomic } from '../src/node/output.ts';
import { resultName } from './environment.ts';
import type { Grid, Settings } from './settings.ts';
import { parseSuites, runSuites, SUITES } from './suites.ts';

interface Options extends Settings {
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

async function bench(
  names: readonly string[],
  { json, save, ...settings }: Options,
): Promise<void> {
  const suites = parseSuites(names);
  if (json !== undefined) {
    const claims = new Claims();
    claims.readsModel('--model', settings.model);
    claims.writes('--json', json);
    assertWritable(json);
  }
  const file = await runSuites(suites, settings, { print, note });
  const text = `${JSON.stringify(file, null, 2)}\n`;
  if (json !== undefined) writeFileAtomic(json, text);
  if (!save) return;
  const path = join(packageFolder(), 'bench', 'results', resultName(file, names));
  mkdirSync(dirname(path), { recursive: true });
  writeFileAtomic(path, text);
  note(`saved ${path}`);
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
  .argument('[suite...]', 'suites to run (default: all but model and peers)')
  .option('--json <file>', 'also write all numbers to a file')
  .option('--save', 'also write them to bench/results, for npm run bench:report')
  .option('--runs <n>', 'runs after the first', integer(1, 1000), 3)
  .option('--quick', 'fewer and shorter cases', false)
  .option('--cases <text,...>', 'only cases whose names contain one of these', list(String))
  .option('--models <name,...>', 'decoders of kernels, generate and scaling, such as B,XL', models)
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
