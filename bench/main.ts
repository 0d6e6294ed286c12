/** `npm run bench`: how fast this project is here, and how much memory it takes. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { integer } from '../src/cli/arguments.ts';
import { readModelJson } from '../src/cli/models.ts';
import { OptionError } from '../src/errors.ts';
import { openDevice } from '../src/node/device.ts';
import { defaultModelFolder, openFolder } from '../src/node/files.ts';
import { assertWritable, writeFileAtomic } from '../src/node/output.ts';
import { measureBatch } from './batch.ts';
import { measureCommand } from './command.ts';
import { environmentOf } from './environment.ts';
import { measureLoad } from './load.ts';
import { measureCopy } from './load-copy.ts';
import {
  type BatchReport,
  batchLines,
  copyLines,
  environmentLines,
  kernelLines,
  loadLines,
} from './report.ts';
import { SameCheck } from './same-check.ts';
import { dispatchProblem } from './step-shape.ts';

interface Options {
  readonly json?: string;
  readonly model: string;
  readonly images: readonly number[];
  readonly runs: number;
  readonly kernels?: boolean;
}

/** Most images of a batch; `generate` makes no larger ones unless asked to. */
const MOST_IMAGES = 16;

const print = (lines: readonly string[]): void => console.log(`${lines.join('\n')}\n`);
const note = (text: string): void => console.error(`bench: ${text}`);

async function bench({ json, model, images, runs, kernels }: Options): Promise<void> {
  if (json !== undefined) assertWritable(json);
  const files = openFolder(model);
  const config = await readModelJson(files);
  const opened = await openDevice();
  const environment = environmentOf(opened);
  for (const line of opened.notes) note(line);
  print(environmentLines(environment, opened.adapter.info));
  const load = await measureLoad(opened.device, files, runs);
  print(loadLines(config, load));
  const copy = await measureCopy(opened.device, runs);
  opened.close();
  print(copyLines(copy));

  const tokenCheck = new SameCheck('token');
  const batches: BatchReport[] = [];
  for (const count of images) {
    note(`batch of ${count}`);
    const batch = await measureBatch(files, count, runs, tokenCheck);
    note(`command for ${count}`);
    const command = await measureCommand(model, config, count, runs, tokenCheck);
    const report = { ...batch, ...command };
    batches.push(report);
    print(batchLines(report));
    if (kernels) print(kernelLines(report));
    const problem = dispatchProblem(batch.shape);
    if (problem === undefined) continue;
    note(problem);
    process.exitCode = 1;
  }
  const results = { model: config.name, load, copy, batches };
  if (json !== undefined) {
    writeFileAtomic(json, `${JSON.stringify({ ...environment, results }, null, 2)}\n`);
  }
}

function counts(text: string): number[] {
  const values = text.split(',').map(integer(1, MOST_IMAGES));
  if (new Set(values).size < values.length) throw new InvalidArgumentError('Named twice.');
  return values;
}

const program = new Command('bench')
  .description('Measures speed and memory, and checks that all runs make the same tokens.')
  .option('--json <file>', 'also write all numbers to a file')
  .option('--model <folder>', 'model folder (default: the one shipped)', defaultModelFolder())
  .option('--images <n,...>', 'batch sizes', counts, [1, 4])
  .option('--runs <n>', 'runs after the first', integer(1, 1000), 3)
  .option('--kernels', 'also print the time per kernel, by timestamps on the device')
  .exitOverride();
try {
  await bench(program.parse().opts<Options>());
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    note(error instanceof Error ? error.message : String(error));
    process.exitCode = error instanceof OptionError ? 2 : 1;
  }
}
