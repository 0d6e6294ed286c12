/** The options of `llamagen generate` and `llamagen embed`. */
import { Option } from 'commander';
import { MOST_ROWS } from '../engine/best-window.ts';
import { WEIGHT_DTYPES } from '../models/precision.ts';
import {
  collect,
  decimal,
  integer,
  integerOrAuto,
  MAX_BATCH,
  MAX_COUNT,
  path,
} from './arguments.ts';
import {
  type AddCommand,
  LABELS,
  outDir,
  PROFILE,
  precision,
  type Runner,
  SCALE,
} from './command-kit.ts';

const MOST = Number.MAX_SAFE_INTEGER;

const PROMPT = ['--prompt <text>', 'what to draw, in words; may be given again', collect] as const;
const PROMPTS = ['--prompts <file>', 'prompts, one per line; - is standard input', path] as const;

/** Adds the command. */
export function addGenerate(command: AddCommand, run: Runner): void {
  command('generate', 'Make images, one per class or prompt and count.')
    .option(
      '--class <names>',
      'class names or indices, with commas between; "all": every class',
      collect,
    )
    .option(...PROMPT)
    .option(...PROMPTS)
    .option('--features <file>', 'features in place of prompts, a file of "llamagen embed"', path)
    .option('--count <n>', 'images per class or prompt', integer(1, MAX_COUNT), 1)
    .option('--seed <s>', 'image i draws with seed s+i (default: random)', integer(0, MOST))
    .option('--cfg-scale <x>', "guidance; 1 is none (default: the model's)", decimal)
    .option(
      '--cfg-interval <n>',
      "guide only the first tokens; -1 guides all (default: the model's)",
      integer(-1, MOST),
    )
    .option('--temperature <t>', "randomness (default: the model's)", decimal)
    .option(
      '--top-k <k>',
      "draw from the k most likely codes; 0 keeps all (default: the model's)",
      integer(0, MOST),
    )
    .option(
      '--top-p <p>',
      "draw from the most likely codes, up to this sum of probability (default: the model's)",
      decimal,
    )
    .option('--greedy', 'always take the most likely code instead of drawing at random')
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
      'positions computed per image in one pass: right guesses save passes, tokens stay the same (default: auto)',
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

/** Adds the command. */
export function addEmbed(command: AddCommand, run: Runner): void {
  command('embed', 'Turn prompts into the features that a model draws from.')
    .option(...PROMPT)
    .option(...PROMPTS)
    .requiredOption('--out <file>', 'a safetensors file for "llamagen generate --features"', path)
    .action(run(async () => (await import('./embed.ts')).runEmbed));
}
