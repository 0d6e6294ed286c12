/** Options of `llamagen serve` and `llamagen worker` that say who draws, and how. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { WEIGHT_DTYPES } from '../models/precision.ts';
import { decimalFrom, integer } from './arguments.ts';
import { precision } from './command-kit.ts';

const MAX_CAPACITY = 1024;
const MAX_WORKERS = 64;
const MAX_SECONDS = 86_400;
const SHUTDOWN_SECONDS = 30;

export const seconds: (text: string) => number = decimalFrom(0.1, MAX_SECONDS);

/** Adds them to a command. */
export const withDrawing = (command: Command): Command =>
  command
    .option(
      '--workers <n>',
      'draw in this many processes, one per GPU; if one ends, no request is lost',
      integer(1, MAX_WORKERS),
    )
    .option(
      '--capacity <n>',
      'KV slots of an engine; a guided image takes two (default: as many as there is memory for, at most 64, 32 on software adapters)',
      integer(1, MAX_CAPACITY),
    )
    .addOption(
      new Option('--dtype <type>', 'storage of the weights on the device')
        .choices(WEIGHT_DTYPES)
        .default('auto'),
    )
    .addOption(precision())
    .option(
      '--shutdown-timeout <s>',
      'seconds to finish in when asked to stop',
      seconds,
      SHUTDOWN_SECONDS,
    );

/** The queue, by its address; a password in it is better in the environment than in a list of processes. */
export const queueOption = (description: string): Option =>
  new Option('--queue <url>', description).env('LLAMAGEN_QUEUE');

export const queueNameOption = (): Option =>
  new Option('--queue-name <name>', 'one of several queues there (default: llamagen)').argParser(
    (text) => {
      if (/^[\w.-]{1,100}$/.test(text)) return text;
      throw new InvalidArgumentError('Expected letters, digits, dots and hyphens.');
    },
  );
