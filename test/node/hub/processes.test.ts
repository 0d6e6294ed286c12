/** Downloads in processes of their own: killed, several at once. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { downloadFile } from '../../../src/node/index.ts';
import { type FakeHub, sha256, startHub } from '../../support/hub.ts';
import { normal } from '../../support/random.ts';
import { ROOT } from '../../support/sources.ts';
import { until } from '../../support/until.ts';

const REPO = 'Owner/Models';
const CONTENT = Buffer.from(normal(500_000, 3, 1).buffer);
const HASH = sha256(CONTENT);
const ETAG = `"cdn-${HASH.slice(0, 8)}"`;

let hub: FakeHub;
let cache: string;
let env: Record<string, string>;
beforeEach(async () => {
  hub = await startHub();
  hub.files.set(`${REPO}/model.pt`, CONTENT);
  cache = mkdtempSync(join(tmpdir(), 'llamagen-hub-'));
  env = { HF_ENDPOINT: hub.endpoint, LLAMAGEN_CACHE: cache, HOME: cache };
});
afterEach(async () => {
  await hub.close();
  rmSync(cache, { recursive: true });
});

const blobs = (): string[] => readdirSync(join(cache, 'blobs')).sort();
const download = (more: Record<string, string> = {}) =>
  downloadFile({
    repo: REPO,
    file: 'model.pt',
    env: { ...env, ...more },
    timing: { lockPollMs: 20, silenceMs: 5000, firstWaitMs: 1, retries: 1 },
  });

/** A child that downloads, and what it printed. */
function child(): { process: ChildProcess; output(): string; ended: Promise<number | null> } {
  const script = join(ROOT, 'test/support/download-child.ts');
  const started = spawn(process.execPath, ['--import', 'tsx', script, REPO, 'model.pt'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
  });
  let text = '';
  for (const stream of [started.stdout, started.stderr])
    stream.on('data', (data) => (text += data));
  const ended = new Promise<number | null>((resolve) => started.on('close', resolve));
  return { process: started, output: () => text, ended };
}

/** Sends the first bytes of the content, then nothing until the connection ends. */
const stall = (count: number) =>
  hub.next('cdn', (_, res) => {
    res.writeHead(200, { etag: ETAG, 'content-length': CONTENT.byteLength });
    res.write(CONTENT.subarray(0, count));
  });

describe('a killed download', () => {
  test('goes on in the next process where it stopped', async () => {
    stall(1_500_000);
    const first = child();
    await until(() => first.output().includes('at 1500000 '));
    first.process.kill('SIGKILL');
    await first.ended;
    expect(blobs()).toEqual([`${HASH}.lock`, `${HASH}.part`, `${HASH}.part.json`]);

    const second = child();
    expect(await second.ended, second.output()).toBe(0);
    expect(second.output()).toContain('at 2000000 from 1500000');
    expect(hub.fetches().map(({ headers }) => headers.range)).toEqual([
      undefined,
      'bytes=1500000-',
    ]);
    expect(readFileSync(join(cache, 'blobs', HASH)).equals(CONTENT)).toBe(true);
    expect(blobs()).toEqual([HASH]);
  });

  test('leaves what was in the cache before', async () => {
    const other = Buffer.from('other');
    hub.files.set(`${REPO}/other.pt`, other);
    const before = await downloadFile({ repo: REPO, file: 'other.pt', env });
    stall(1000);
    const first = child();
    await until(() => first.output().includes('at 1000 '));
    first.process.kill('SIGKILL');
    await first.ended;
    expect(readFileSync(before.path).equals(other)).toBe(true);
    const offline = { ...env, HF_HUB_OFFLINE: '1' };
    await expect(download(offline)).rejects.toThrow(/not in the cache/);
  });
});

describe('several at once', () => {
  test('fetch the file once', async () => {
    const files = await Promise.all([download(), download(), download()]);
    expect(files.map(({ sha256 }) => sha256)).toEqual([HASH, HASH, HASH]);
    expect(files.filter(({ fromCache }) => !fromCache)).toHaveLength(1);
    expect(hub.fetches()).toHaveLength(1);
    expect(blobs()).toEqual([HASH]);
  });

  test('in two processes: the second waits for the first, and says so', async () => {
    let finish = (): void => {};
    hub.next('cdn', (_, res) => {
      res.writeHead(200, { etag: ETAG, 'content-length': CONTENT.byteLength });
      res.write(CONTENT.subarray(0, 1000));
      finish = () => void res.end(CONTENT.subarray(1000));
    });
    const first = child();
    await until(() => first.output().includes('at 1000 '));
    const second = child();
    await until(() => second.output().includes('another process downloads model.pt'));
    finish();
    expect([await first.ended, await second.ended]).toEqual([0, 0]);
    expect(second.output()).toContain('"fromCache":true');
    expect(hub.fetches()).toHaveLength(1);
    expect(blobs()).toEqual([HASH]);
  });

  test('when the first dies, the second goes on with its bytes', async () => {
    stall(1_200_000);
    const first = child();
    await until(() => first.output().includes('at 1200000 '));
    const second = download();
    await sleep(100);
    first.process.kill('SIGKILL');
    expect(await second).toMatchObject({ sha256: HASH, fromCache: false });
    expect(hub.fetches()[1]?.headers.range).toBe('bytes=1200000-');
  });
});

describe('a lock', () => {
  const lockOf = (owner: object): string => {
    const path = join(cache, 'blobs', `${HASH}.lock`);
    writeFileSync(path, JSON.stringify(owner));
    return path;
  };
  beforeEach(async () => {
    await download();
    rmSync(join(cache, 'blobs', HASH));
  });

  test('of a living process on another machine is waited for', async () => {
    const path = lockOf({ pid: 1, host: 'elsewhere' });
    const done = download();
    await sleep(200);
    expect(existsSync(path)).toBe(true);
    rmSync(path);
    expect(await done).toMatchObject({ sha256: HASH });
  });

  test('taken over by another process ends the download that lost it', async () => {
    let finish = (): void => {};
    hub.next('cdn', (_, res) => {
      res.writeHead(200, { etag: ETAG, 'content-length': CONTENT.byteLength });
      res.write(CONTENT.subarray(0, 1000));
      finish = () => void res.end(CONTENT.subarray(1000));
    });
    const fetches = hub.fetches().length;
    const lost = download();
    await until(() => hub.fetches().length > fetches);
    const path = lockOf({ pid: 1, host: 'elsewhere' });
    finish();
    await expect(lost).rejects.toThrow(/another process took over this download/);
    expect(existsSync(path)).toBe(true);
    expect(existsSync(join(cache, 'blobs', HASH))).toBe(false);
  });

  test.each([
    ['of another machine', { pid: 1, host: 'elsewhere' }],
    ['of this process', { pid: process.pid, host: hostname() }],
    ['that was never written', {}],
  ])('%s that was silent for minutes is left over', async (_, owner) => {
    const path = lockOf(owner);
    const before = new Date(Date.now() - 180_000);
    utimesSync(path, before, before);
    expect(await download()).toMatchObject({ sha256: HASH });
    expect(existsSync(path)).toBe(false);
  });
});
