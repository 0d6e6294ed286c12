/**
 * `npm run test:mutants`: faults in the texts of kernels, one at a time, each of which something must notice.
 * Most are generated, by operator, from the texts of the kernels' records, and judged by the records' cases;
 * what those do not notice is judged by the kernel's own tests. Those written by hand, in the lists beside
 * this file, say what no operator does and name the tests that must notice.
 *
 * A fault that survives fails the run, unless `equivalent.ts` says why it changes nothing.
 */
import { Command, InvalidArgumentError } from 'commander';
import { PORTABLE } from '../../kernels/kernel.ts';
import { runScript } from '../../scripts/script.ts';
import { OptionError } from '../../src/errors.ts';
import { openDevice } from '../../src/node/device.ts';
import { RECORDS } from '../records/index.ts';
import { withVariant } from '../records/record.ts';
import { deviceVariants, variantName } from '../support/variants.ts';
import { attempt } from './attempt.ts';
import { listing } from './equivalent.ts';
import { type Fault, faultsOf, nameOf, type Text } from './faults.ts';
import { type Judge, type Judgement, openJudge } from './judge.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';
import { ownTests } from './own-tests.ts';
import { isCounted, isNoticed, Report } from './report.ts';
import { sampleOrder } from './sample.ts';

interface Options {
  readonly all: boolean;
  readonly only?: string;
  readonly sample: number;
  readonly seed: number;
  readonly written: boolean;
  readonly verbose: boolean;
}

/** Each runs kernels on the CPU where there is no GPU. */
const PROCESSES = 2;

/**
 * Every fault of the texts that records name for that: those of their cases have sizes of one besides, where
 * much that is wrong changes nothing.
 */
async function generated(): Promise<Fault[]> {
  const { device } = await openDevice({ tuned: false });
  const byKernel = new Map<string, Text[]>();
  for (const record of RECORDS) {
    const variants = new Set(record.suites.flatMap((suite) => suite.variants ?? [PORTABLE]));
    for (const variant of deviceVariants(device, [...variants])) {
      for (const params of record.texts) {
        const { name, code } = record.kernel(withVariant(record, params, variant));
        const own = byKernel.get(name) ?? [];
        byKernel.set(name, own);
        own.push({ variant: variantName(variant), code });
      }
    }
  }
  device.destroy();
  return [...byKernel].flatMap(([kernel, own]) => faultsOf(kernel, own));
}

async function judgeGenerated(judge: Judge, fault: Fault): Promise<Judgement> {
  const { kernel, operator, key } = fault;
  const question = { from: 'operator', kernel, operator, key } as const;
  const judgement = await judge.judge(question);
  if (judgement.verdict !== 'survived' || listing(fault)) return judgement;
  const files = ownTests(kernel);
  if (files.length === 0) return judgement;
  const second = await attempt(question, files, {});
  return isNoticed(second) ? second : judgement;
}

/** By the cases of records first, where these can notice: tests take a process of their own. */
async function judgeWritten(judge: Judge, { name, tests, only }: Mutant): Promise<Judgement> {
  const question = { from: 'list', name } as const;
  if (tests.every((file) => file.startsWith('test/kernels/'))) {
    const judgement = await judge.judge(question);
    if (isNoticed(judgement)) return judgement;
  }
  return attempt(question, [...(only ? ['-t', only] : []), ...tests]);
}

async function run(options: Options): Promise<number> {
  const { all, only = '', sample, seed } = options;
  const isChosen = (name: string): boolean => name.includes(only);
  const faults = sampleOrder(await generated(), seed).filter((fault) => isChosen(nameOf(fault)));
  const written = mutants.filter(({ name }) => options.written && isChosen(name));
  if (faults.length + written.length === 0) throw new OptionError(`no fault is named "${only}"`);
  const most = all || only !== '' ? faults.length : sample;
  const report = new Report(console.log, options.verbose);
  let asked = 0;
  let uncounted = 0;

  const lane = async (): Promise<void> => {
    const judge = openJudge(new URL('./record-trials.ts', import.meta.url).href);
    for (let mutant = written.shift(); mutant; mutant = written.shift()) {
      const started = performance.now();
      report.written(mutant.name, await judgeWritten(judge, mutant), started);
    }
    while (asked - uncounted < most) {
      const fault = faults[asked++];
      if (!fault) break;
      const started = performance.now();
      const judgement = await judgeGenerated(judge, fault);
      if (!isCounted(judgement)) uncounted++;
      report.generated(fault, judgement, started);
    }
    judge.close();
  };
  await Promise.all(Array.from({ length: PROCESSES }, lane));
  return report.end() ? 0 : 1;
}

const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('not a count.');
  return value;
};

const script = new Command('test:mutants')
  .description('Puts faults into the texts of kernels; something must notice each.')
  .option('--all', 'every generated fault, in place of a sample', false)
  .option('--only <text>', 'faults whose names have this in them, all of them')
  .option('--sample <count>', 'how many generated faults', count, 200)
  .option('--seed <number>', 'which ones', count, 1)
  .option('--verbose', 'a line for every fault, with seconds', false)
  .option('--no-written', 'without those that are written by hand');
await runScript(script, () => run(script.opts<Options>()));
