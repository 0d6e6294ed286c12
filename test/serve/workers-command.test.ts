/** `llamagen serve --workers` as processes: how it ends, and what it leaves. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generate, type Run, startLlamagen, stop } from './commands.ts';
import { tempFolder, until, writeSlowModel } from './worker-jobs.ts';

const folder = tempFolder();
const runs: Run[] = [];

beforeAll(() => writeSlowModel(folder.path));

afterAll(async () => {
  await Promise.all(runs.map((run) => stop(run, 'SIGKILL')));
  folder.remove();
});

async function startServer(): Promise<{ readonly run: Run; readonly url: string }> {
  const args = ['serve', '--model', folder.path, '--workers', '2', '--port', '0', '--json'];
  const run = startLlamagen(args);
  runs.push(run);
  await until(() => run.out().endsWith('}\n'));
  return { run, url: JSON.parse(run.out()).url };
}

/** Processes that a process started and that are there. */
function childrenOf({ process: { pid } }: Run): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return list.trim().split(' ').filter(Boolean).map(Number);
}

const isThere = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test.runIf(process.platform === 'linux')(
  'Ctrl-C reaches all processes, and what was taken is finished',
  async () => {
    const { run, url } = await startServer();
    expect(run.err()).toMatch(/2 workers share one adapter/);
    const children = childrenOf(run);
    expect(children.length).toBeGreaterThanOrEqual(2);
    const answers = [1, 2, 3, 4].map((seed) => generate(url, { prompt: 'class:1', seed }));
    await until(async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return /^llamagen_requests_running [1-9]/m.test(metrics);
    });
    process.kill(-run.process.pid!, 'SIGINT');
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
    await until(() => run.process.exitCode !== null);
    expect(run.process.exitCode).toBe(0);
    expect(children.filter(isThere)).toEqual([]);
  },
);

test.runIf(process.platform === 'linux')(
  'a server that is killed leaves no process behind',
  async () => {
    const { run } = await startServer();
    const children = childrenOf(run);
    await stop(run, 'SIGKILL');
    await until(() => children.filter(isThere).length === 0);
  },
);
