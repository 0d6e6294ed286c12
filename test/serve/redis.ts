/** A real Redis of a test: on a free port, in a folder of its own, nothing kept. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tempFolder, until } from './worker-jobs.ts';

/** Whether there is one here. CI installs it, and must not skip. */
export const HAS_REDIS: boolean =
  spawnSync('redis-server', ['--version']).status === 0 || Boolean(process.env.CI);

export interface TestRedis {
  readonly url: string;
  /** Ends it at once, as kill -9 does; what it held is lost. */
  kill(): Promise<void>;
  /** Again, on the same port, empty. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

export async function startRedis(): Promise<TestRedis> {
  const folder = tempFolder();
  const port = await freePort();
  let server: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    const own = server;
    server = undefined;
    if (!own || own.exitCode !== null) return;
    const exit = once(own, 'exit');
    own.kill('SIGKILL');
    await exit;
  };
  const start = async (): Promise<void> => {
    const options = [
      '--save',
      '',
      '--appendonly',
      'no',
      '--bind',
      '127.0.0.1',
      '--dir',
      folder.path,
    ];
    const own = spawn('redis-server', ['--port', String(port), ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    server = own;
    let said = '';
    own.stdout?.on('data', (text) => {
      said += text;
    });
    await until(() => {
      if (own.exitCode !== null) throw new Error(`redis-server ended: ${said}`);
      return said.includes('Ready to accept connections');
    });
  };
  await start();
  const remove = async (): Promise<void> => {
    await kill();
    folder.remove();
  };
  return { url: `redis://127.0.0.1:${port}`, kill, start, remove };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return address.port;
}
