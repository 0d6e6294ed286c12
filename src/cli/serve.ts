/** `llamagen serve`: the OpenAI images API over HTTP, until it is asked to stop. */
import { OptionError } from '../errors.ts';
import { openFolder } from '../node/files.ts';
import { readApiKeys } from '../serve/api-keys.ts';
import { createServer } from '../serve/app.ts';
import type { Backend } from '../serve/backend.ts';
import { importServer } from '../serve/peers.ts';
import { checkAliases } from '../serve/server-options.ts';
import { openTracing } from '../serve/tracing.ts';
import { readModelJson } from './models.ts';
import { type DrawOptions, openBackend, type QueueOptions } from './open-backend.ts';
import type { Report } from './report.ts';
import { aborted, allowGrace } from './signals.ts';

export interface ServeOptions extends DrawOptions, QueueOptions {
  readonly host: string;
  readonly port: number;
  readonly apiKeyFile?: string | undefined;
  readonly alias?: ReadonlyMap<string, string> | undefined;
  readonly resize?: boolean | undefined;
  readonly cors?: readonly string[] | undefined;
  readonly publicUrl?: string | undefined;
  readonly trustProxy?: readonly string[] | undefined;
  readonly maxWaiting: number;
  readonly rateLimit: number;
  /** Seconds. */
  readonly timeout: number;
  readonly urlTtl: number;
  readonly shutdownTimeout: number;
  readonly logLevel: string;
  readonly logPrompts?: boolean | undefined;
}

/** For the last answers, and to free what a backend has. */
const LAST_MS = 5000;

/** Runs the command. What can be refused is refused before the weights are read. */
export async function runServe(
  options: ServeOptions,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const { host, port, shutdownTimeout, publicUrl } = options;
  await importServer();
  const apiKeys = options.apiKeyFile === undefined ? undefined : readApiKeys(options.apiKeyFile);
  if (options.alias && options.queue === undefined) {
    checkAliases(options.alias, [(await readModelJson(openFolder(options.model))).name]);
  }
  const tracing = await openTracing();
  const failed = new AbortController();
  const backend = await openBackend(options, report, { signal, onFailed: (e) => failed.abort(e) });
  const deadlineMs = 1000 * shutdownTimeout;
  try {
    const server = await createServer({
      ...{ backend, apiKeys, publicUrl, tracing },
      ...{ aliases: options.alias, resize: options.resize, origins: options.cors },
      proxies: options.trustProxy,
      log: { level: options.logLevel, stream: process.stderr },
      logPrompts: options.logPrompts,
      limits: {
        waiting: options.maxWaiting,
        requestsAMinute: options.rateLimit,
        requestMs: 1000 * options.timeout,
        urlMs: 1000 * options.urlTtl,
      },
    });
    signal.throwIfAborted();
    const url = await server.listen({ host, port }).catch((cause) => {
      throw notListening(cause, options);
    });
    allowGrace(signal, deadlineMs + LAST_MS);
    describe(report, { ...options, backend, url });
    await Promise.race([aborted(signal), aborted(failed.signal)]);
    report.note(`stopping: what runs has ${shutdownTimeout} s to finish`);
    await server.close(deadlineMs);
    failed.signal.throwIfAborted();
  } finally {
    await backend.close(0);
    await tracing?.close().catch((error) => report.note(`traces were not sent: ${error.message}`));
  }
}

/** What an address that cannot be taken means for whoever gave it. */
function notListening(cause: unknown, { host, port }: ServeOptions): unknown {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `--port: ${port} is in use at ${host}: give another, or 0 for any free one`,
    EACCES: `--port: ${port} is not for you to take: give one above 1023`,
    EADDRNOTAVAIL: `--host: ${host} is no address of this machine`,
    ENOTFOUND: `--host: ${host} is not known`,
  };
  const reason = reasons[String(Object(cause).code)];
  return reason === undefined ? cause : new OptionError(reason, { cause });
}

interface Listening extends ServeOptions {
  readonly backend: Backend;
  readonly url: string;
}

function describe(report: Report, { backend, url, host, apiKeyFile }: Listening): void {
  const [model] = backend.models;
  report.line(`adapter  ${model?.adapter}`);
  report.line(`model    ${model?.name}, ${model?.width}x${model?.height} pixels`);
  report.line(`page     ${url}`);
  report.line(`API      ${url}/v1, documented at ${url}/docs`);
  if (apiKeyFile === undefined && !isLoopback(host)) {
    report.note(
      `warning: whoever reaches ${host} can draw, without a key: give --api-key-file, or leave out --host`,
    );
  }
  report.json({ url, model: model?.name, fingerprint: model?.fingerprint });
}

const isLoopback = (host: string): boolean => /^(localhost|127\..*|::1)$/.test(host);
