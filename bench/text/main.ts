/** `npx tsx bench/text/main.ts`: prompts through FLAN-T5-XL and into GPT-XL, on software adapters through small ones. */
import { Command } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { integer } from '../../src/cli/arguments.ts';
import { OptionError } from '../../src/errors.ts';
import { defaultModelFolder } from '../../src/node/files.ts';
import { writeFileAtomic } from '../../src/node/output.ts';
import { runSuites, type Suite } from '../suites.ts';
import { measurePrefill, type PrefillResult, prefillTables } from './prefill.ts';
import { measureProducts, type ProductsResult, productsTables } from './products.ts';
import { measureText, type TextResult, textTables } from './suite.ts';

interface Options {
  readonly runs: number;
  readonly quick: boolean;
  readonly json?: string;
}

const SUITES: Readonly<Record<string, Suite<unknown>>> = {
  text: { measure: measureText, tables: (result) => textTables(result as TextResult) },
  prefill: { measure: measurePrefill, tables: (result) => prefillTables(result as PrefillResult) },
  products: {
    measure: measureProducts,
    tables: (result) => productsTables(result as ProductsResult),
  },
};

const program = new Command('bench text')
  .description(
    'Measures how long prompts take from token ids to features, and from those into the cache of a decoder, weights being random.',
  )
  .argument('[suites...]', `some of ${Object.keys(SUITES).join(', ')}; default all`)
  .option('--runs <n>', 'runs after the first', integer(1, 1000), 3)
  .option('--quick', 'a small encoder', false)
  .option('--json <file>', 'also write all numbers to a file');
await runScript(program, async () => {
  const { json, runs, quick } = program.opts<Options>();
  const settings = { runs, quick, budget: 20, model: defaultModelFolder(), images: [] };
  const unknown = program.args.find((name) => !Object.hasOwn(SUITES, name));
  if (unknown !== undefined) {
    throw new OptionError(`no suite "${unknown}", but ${Object.keys(SUITES).join(', ')}`);
  }
  const names = program.args.length > 0 ? program.args : Object.keys(SUITES);
  const file = await runSuites(names, settings, {
    print: (lines) => console.log(`${lines.join('\n')}\n`),
    note: (line) => console.error(`bench: ${line}`),
    suites: SUITES,
  });
  if (json !== undefined) writeFileAtomic(json, `${JSON.stringify(file, null, 2)}\n`);
});
