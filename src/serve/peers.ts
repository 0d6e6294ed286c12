/** The packages that only servers need: optional peers of this package, imported here and nowhere else. */
import { OptionError } from '../errors.ts';

/** What the API process is made of. */
export interface ServerPeers {
  readonly fastify: typeof import('fastify').fastify;
  readonly LogController: typeof import('fastify').LogController;
  readonly helmet: typeof import('@fastify/helmet').fastifyHelmet;
  readonly cors: typeof import('@fastify/cors').default;
  readonly rateLimit: typeof import('@fastify/rate-limit').default;
  readonly swagger: typeof import('@fastify/swagger').default;
  readonly swaggerUi: typeof import('@fastify/swagger-ui').default;
  readonly sharp: typeof import('sharp');
  readonly createMetrics: typeof import('./metrics.ts').createMetrics;
}

const SERVER = [
  'fastify',
  '@fastify/helmet',
  '@fastify/cors',
  '@fastify/rate-limit',
  '@fastify/swagger',
  '@fastify/swagger-ui',
  'sharp',
  'prom-client',
];

export const importServer = (): Promise<ServerPeers> =>
  imported('llamagen serve', SERVER, async () => ({
    fastify: (await import('fastify')).fastify,
    LogController: (await import('fastify')).LogController,
    helmet: (await import('@fastify/helmet')).fastifyHelmet,
    cors: (await import('@fastify/cors')).default,
    rateLimit: (await import('@fastify/rate-limit')).default,
    swagger: (await import('@fastify/swagger')).default,
    swaggerUi: (await import('@fastify/swagger-ui')).default,
    sharp: (await import('sharp')).default,
    createMetrics: (await import('./metrics.ts')).createMetrics,
  }));

/** What puts jobs into a queue and takes them out. */
export const importQueue = (command: string): Promise<typeof import('./queue/index.ts')> =>
  imported(command, ['bullmq', 'ioredis'], () => import('./queue/index.ts'));

/** What traces are made of. */
export type TelemetryPeers = Pick<
  typeof import('@opentelemetry/api'),
  'context' | 'propagation' | 'trace' | 'SpanKind' | 'SpanStatusCode'
> &
  Pick<typeof import('@opentelemetry/sdk-node'), 'NodeSDK'> &
  Pick<typeof import('@opentelemetry/exporter-trace-otlp-http'), 'OTLPTraceExporter'>;

const TELEMETRY = [
  '@opentelemetry/api',
  '@opentelemetry/sdk-node',
  '@opentelemetry/exporter-trace-otlp-http',
];

export const importTelemetry = (): Promise<TelemetryPeers> =>
  imported('tracing, for which variables OTEL_... ask,', TELEMETRY, async () => ({
    ...(await import('@opentelemetry/api')),
    ...(await import('@opentelemetry/sdk-node')),
    ...(await import('@opentelemetry/exporter-trace-otlp-http')),
  }));

/**
 * @param packages All that `load` imports.
 * @throws OptionError that says what to install.
 */
export async function imported<T>(
  command: string,
  packages: readonly string[],
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if (Object(cause).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    const [, missing = 'one of them'] = /package '([^']+)'/.exec(String(cause)) ?? [];
    throw new OptionError(
      `${command} needs packages that do not come with llamagen-webgpu, and ${missing} is not installed: run "npm install ${packages.join(' ')}"`,
      { cause },
    );
  }
}
