/** `npm run bench:quality`: what fewer bits cost, against f32 and exact: of weights, or of `fast`. */
import { Command, Option } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { integer, words } from '../../src/cli/arguments.ts';
import { readModelJson, resolveModel } from '../../src/cli/models.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import { gptConfig, gptWeightShapes } from '../../src/models/gpt-config.ts';
import { openDevice } from '../../src/node/device.ts';
import { defaultModelFolder, openFolder } from '../../src/node/files.ts';
import { assertWritable, writeFileAtomic } from '../../src/node/output.ts';
import { openModelWeights } from '../../src/weights/model-weights.ts';
import { hashWeights } from '../../test/golden-runner/hash-weights.ts';
import { environmentLines, environmentOf } from '../environment.ts';
import { formatTable, percent, type Row } from '../table.ts';
import { ask, compare, drawGrids, type Quality, type Subject } from './measure.ts';

const EXACT = { dtype: 'f32', precision: 'exact' } as const;

/** What is compared. */
const ROWS = {
  f32: EXACT,
  fast: { dtype: 'f32', precision: 'fast' },
  bf16: { dtype: 'bf16', precision: 'exact' },
  f16: { dtype: 'f16', precision: 'exact' },
  int8: { dtype: 'int8', precision: 'exact' },
  int4: { dtype: 'int4', precision: 'exact' },
} as const satisfies Readonly<Record<string, PrecisionOptions>>;
type RowName = keyof typeof ROWS;
const ROW_NAMES = Object.keys(ROWS) as RowName[];

interface Options {
  readonly rows: readonly RowName[];
  readonly json?: string;
  readonly model: string;
  readonly images: number;
  readonly synthetic?: boolean;
}

/** Side of the grid of the synthetic model: its weights do not depend on it, its cost does. */
const SYNTHETIC_GRID = 4;

/** Progress: a full table takes minutes on a software adapter. */
const note = (name: string, { nmse, top1, greedySame }: Quality): void =>
  console.error(`bench:quality: ${name}: ${[nmse, top1, greedySame].join(' ')}`);
const print = (lines: readonly string[]): void => console.log(`${lines.join('\n')}\n`);

async function folderSubject({ model, images }: Options): Promise<Subject> {
  const files = openFolder(model);
  const { name, gpt, sampling } = await readModelJson(files);
  const classes = Array.from({ length: images }, (_, i) => i % gpt.numClasses);
  const file = await openModelWeights(files, 'gpt');
  return { name, config: gpt, file, classes, cfgScale: sampling.cfgScale };
}

/** GPT-B with hash weights of the size that training starts from. */
async function syntheticSubject({ images }: Options): Promise<Subject> {
  const side = SYNTHETIC_GRID;
  const config = { ...gptConfig('GPT-B', 16), blockSize: side * side, gridSize: side };
  const tensors = gptWeightShapes(config).map(({ name, shape }) => {
    const norm = shape.length === 1;
    // Uniform values with a deviation of 0.02; the head is larger, so that logits differ.
    const amp = norm ? 0.1 : 0.02 * Math.sqrt(3) * (name === 'output.weight' ? 5 : 1);
    return { name, shape, amp, offset: norm ? 1 : 0 };
  });
  const file = await hashWeights('GPT-B, hash weights', 'quality', tensors);
  const classes = Array.from({ length: images }, (_, i) => i);
  return {
    name: `GPT-B with hash weights, ${side}x${side} tokens`,
    config,
    file,
    classes,
    cfgScale: 2,
  };
}

async function measure(options: Options): Promise<void> {
  if (options.json !== undefined) assertWritable(options.json);
  const opened = await openDevice();
  try {
    const environment = environmentOf(opened);
    print(environmentLines(environment));
    const subject = await (options.synthetic ? syntheticSubject(options) : folderSubject(options));
    const grids = await drawGrids(opened, subject);
    const exact = await ask(opened, subject, grids, EXACT);
    const results: Record<string, Quality> = {};
    for (const name of options.rows) {
      const answers = await ask(opened, subject, grids, ROWS[name]);
      results[name] = compare(subject, answers, exact);
      note(name, results[name]);
    }
    const title = `${subject.name}, ${grids.length} images`;
    print(table(title, results));
    if (options.json !== undefined) {
      const all = { ...environment, results: { model: title, storage: results } };
      writeFileAtomic(options.json, `${JSON.stringify(all, null, 2)}\n`);
    }
  } finally {
    opened.close();
  }
}

function table(title: string, results: Readonly<Record<string, Quality>>): string[] {
  return formatTable([
    [title, 'weights, MB', 'NMSE', 'top-1', 'greedy prefix', 'greedy same'],
    ...Object.entries(results).map(
      ([name, q]): Row => [
        `  ${name}`,
        (q.weightBytes / 1e6).toFixed(1),
        q.nmse.toExponential(2),
        percent(q.top1),
        percent(q.greedyPrefix),
        percent(q.greedySame),
      ],
    ),
  ]);
}

const program = new Command('bench:quality')
  .description(
    'Compares storage of the weights, and fast, with f32 in exact: logits, best tokens, greedy images.',
  )
  .option('--rows <name,...>', `some of ${ROW_NAMES.join(', ')}`, words(ROW_NAMES), ROW_NAMES)
  .option('--json <file>', 'also write all numbers to a file')
  .addOption(
    new Option('--model <folder>', 'model folder or name')
      .argParser(resolveModel)
      .default(defaultModelFolder(), 'the one shipped'),
  )
  .option('--images <n>', 'classes to draw and score', integer(1, 64), 8)
  .option('--synthetic', 'GPT-B with hash weights instead of a folder');
await runScript(program, () => measure(program.opts<Options>()));
