/** The options of `llamagen serve`. */
import { isIP } from 'node:net';
import { InvalidArgumentError, Option } from 'commander';
import { DEFAULT_LIMITS } from '../serve/server-options.ts';
import { collect, integer, path } from './arguments.ts';
import type { AddCommand, Runner } from './command-kit.ts';
import { queueNameOption, queueOption, seconds, withDrawing } from './drawing-options.ts';

const MAX_PORT = 65535;
const MAX_WAITING = 100_000;
const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;

/** Adds the command. */
export function addServe(command: AddCommand, run: Runner): void {
  const serve = command('serve', 'Answer the OpenAI images API over HTTP, many requests at once.');
  withDrawing(serve)
    .addOption(
      // What is drawn, and how, is said where it is drawn.
      queueOption('address of a Redis; "llamagen worker" processes on any machine draw').conflicts([
        'workers',
        'capacity',
        'model',
        'dtype',
        'precision',
      ]),
    )
    .addOption(queueNameOption())
    .option('--port <n>', 'port; 0 is any free one', integer(0, MAX_PORT), 8000)
    .option('--host <address>', 'address to listen at', '127.0.0.1')
    .option('--api-key-file <file>', 'file of API keys, one per line; clients must send one', path)
    .option(
      '--alias <name=model>',
      'a name that clients may call the model; may be given again',
      alias,
    )
    .option('--resize', "scale the model's images to any size a client asks for")
    .option(
      '--cors <origin>',
      'a page of this origin may ask; * is any; may be given again',
      origins,
    )
    .option('--public-url <url>', 'where clients reach this server, for URLs of images', webUrl)
    .option(
      '--trust-proxy <address>',
      'believe the X-Forwarded-* headers of this proxy: an address or a network such as 10.0.0.0/8; may be given again',
      proxies,
    )
    .option(
      '--max-waiting <n>',
      'images that may wait; more are refused with 429',
      integer(0, MAX_WAITING),
      DEFAULT_LIMITS.waiting,
    )
    .option(
      '--rate-limit <n>',
      'requests a minute of one client; 0 is any number',
      integer(0, MAX_WAITING),
      DEFAULT_LIMITS.requestsAMinute,
    )
    .option(
      '--timeout <s>',
      'seconds that a request may take',
      seconds,
      DEFAULT_LIMITS.requestMs / 1000,
    )
    .option(
      '--url-ttl <s>',
      'seconds after which URLs of images expire',
      seconds,
      DEFAULT_LIMITS.urlMs / 1000,
    )
    .addOption(
      new Option('--log-level <level>', 'lines of JSON on stderr')
        .choices(LOG_LEVELS)
        .default('info'),
    )
    .option('--log-prompts', 'write prompts into the log')
    .action(run(async () => (await import('./serve.ts')).runServe));
}

/** Names and the models that they mean. */
type Aliases = ReadonlyMap<string, string>;

function alias(text: string, before: Aliases = new Map()): Aliases {
  const [, name, model] = /^([^=\s]+)=(\S+)$/.exec(text) ?? [];
  if (name !== undefined && model !== undefined) return new Map([...before, [name, model]]);
  throw new InvalidArgumentError('Expected NAME=MODEL.');
}

function origins(text: string, before?: readonly string[]): string[] {
  if (text === '*' || asUrl(text)?.origin === text) return collect(text, before);
  throw new InvalidArgumentError('Expected an origin such as https://example.org, or *.');
}

function proxies(text: string, before?: readonly string[]): string[] {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const most = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  if (most > 0 && Number(bits ?? 1) >= 1 && Number(bits ?? 1) <= most) return collect(text, before);
  throw new InvalidArgumentError('Expected an address such as 127.0.0.1, or 10.0.0.0/8.');
}

function webUrl(text: string): string {
  const url = /^https?:\/\//.test(text) ? asUrl(text) : undefined;
  if (url && url.search === '' && url.hash === '') return text.replace(/\/+$/, '');
  throw new InvalidArgumentError('Expected a URL such as https://images.example.org.');
}

const asUrl = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined);
