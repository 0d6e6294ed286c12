/** The options of `llamagen serve`. */
import { Option } from 'commander';
import { WEIGHT_DTYPES } from '../models/precision.ts';
import { integer } from './arguments.ts';
import { type AddCommand, precision, type Runner } from './command-kit.ts';

const MAX_PORT = 65535;
const MAX_CAPACITY = 1024;
const MAX_WORKERS = 64;

/** Adds the command. */
export function addServe(command: AddCommand, run: Runner): void {
  command('serve', 'Answer the OpenAI images API over HTTP, many requests at once.')
    .option('--port <n>', 'port; 0 is any free one', integer(0, MAX_PORT), 8000)
    .option('--host <address>', 'address to listen at', '127.0.0.1')
    .option(
      '--workers <n>',
      'draw in so many processes, one for each GPU: what ends one of them ends no request',
      integer(1, MAX_WORKERS),
    )
    .option(
      '--capacity <n>',
      'KV slots of an engine: a guided image takes two, any other one (default: 32)',
      integer(1, MAX_CAPACITY),
    )
    .addOption(
      new Option('--dtype <type>', 'storage of the weights on the device')
        .choices(WEIGHT_DTYPES)
        .default('auto'),
    )
    .addOption(precision())
    .action(run(async () => (await import('./serve.ts')).runServe));
}
