/** `npm run check [-- filter...]`: types, format and lint, then the tests; the first that fails ends it. */
import { Command } from 'commander';
import { passes, runScript } from './script.ts';

const check = new Command('check')
  .description('Checks types, format and lint, then runs the tests.')
  .argument('[filter...]', 'run only tests whose paths contain one of these (default: all)');
await runScript(check, () =>
  passes('tsc') && passes('biome', 'check') && passes('vitest', 'run', ...check.args) ? 0 : 1,
);
