/** Downloads from a hub that misbehaves in every way that was seen, one test for each. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DownloadError } from '../../../src/errors.ts';
import { type DownloadOptions, downloadFile, fileFacts } from '../../../src/node/hub/download.ts';
import {
  cutAfter as cutOnce,
  type FakeHub,
  lfsPointer,
  sendRanges,
  sha256,
  startHub,
} from '../../support/hub.ts';
import { normal } from '../../support/random.ts';

const REPO = 'Owner/Models';
const CONTENT = Buffer.from(normal(300_000, 1, 1).buffer);
const HASH = sha256(CONTENT);
const ETAG = `"cdn-${HASH.slice(0, 8)}"`;
const OTHER = Buffer.from(normal(250_000, 2, 1).buffer);

const QUICK = { retries: 3, firstWaitMs: 1, longestWaitMs: 4, silenceMs: 10_000, lockPollMs: 10 };
/** For servers that hang. */
const IMPATIENT = { ...QUICK, silenceMs: 500 };

let hub: FakeHub;
let cache: string;
let notes: string[];
beforeEach(async () => {
  hub = await startHub();
  hub.files.set(`${REPO}/model.pt`, CONTENT);
  cache = mkdtempSync(join(tmpdir(), 'llamagen-hub-'));
  notes = [];
  arrived = 0;
});
afterEach(async () => {
  await hub.close();
  rmSync(cache, { recursive: true });
});

/** Bytes that the download under test has. */
let arrived = 0;
const cutAfter = (bytes: Buffer, count: number, etag: string) =>
  cutOnce(bytes, count, etag, () => arrived);

const options = (more: Partial<DownloadOptions> = {}): DownloadOptions => ({
  repo: REPO,
  file: 'model.pt',
  timing: QUICK,
  onNote: (text) => notes.push(text),
  ...more,
  onProgress: (progress) => {
    arrived = progress.doneBytes;
    more.onProgress?.(progress);
  },
  env: { HF_ENDPOINT: hub.endpoint, LLAMAGEN_CACHE: cache, ...more.env },
});
const download = (more: Partial<DownloadOptions> = {}) => downloadFile(options(more));

const blobs = (): string[] => readdirSync(join(cache, 'blobs')).sort();
const part = (): string => join(cache, 'blobs', `${HASH}.part`);
const ranges = (): (string | undefined)[] => hub.fetches().map(({ headers }) => headers.range);

/** The error of a download that must fail. */
async function failure(more: Partial<DownloadOptions> = {}): Promise<DownloadError> {
  const error = await download(more).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DownloadError);
  return error as DownloadError;
}

describe('a download', () => {
  test('is the content under its hash, with a record, and nothing else', async () => {
    const file = await download();
    expect(file).toEqual({
      path: join(cache, 'blobs', HASH),
      sha256: HASH,
      bytes: CONTENT.byteLength,
      fromCache: false,
    });
    expect(readFileSync(file.path).equals(CONTENT)).toBe(true);
    expect(blobs()).toEqual([HASH]);
    const record = join(cache, 'refs/Owner--Models/main/model.pt.json');
    expect(JSON.parse(readFileSync(record, 'utf8'))).toMatchObject({ sha256: HASH, etag: HASH });
    expect(notes).toEqual([]);
  });

  test('is made once', async () => {
    await download();
    expect(await download()).toMatchObject({ fromCache: true, sha256: HASH });
    expect(hub.fetches()).toHaveLength(1);
  });

  test('of the same content under another name fetches nothing', async () => {
    await download();
    hub.files.set(`${REPO}/copy.pt`, CONTENT);
    expect(await download({ file: 'copy.pt' })).toMatchObject({ fromCache: true, sha256: HASH });
    expect(hub.fetches()).toHaveLength(1);
    expect(await download({ file: 'copy.pt', env: { HF_HUB_OFFLINE: '1' } })).toMatchObject({
      fromCache: true,
    });
  });

  test('of a small file comes from the hub itself and is checked as git does', async () => {
    hub.small.set(`${REPO}/sub folder/config.json`, Buffer.from('{"dim": 64}'));
    const file = await download({ file: 'sub folder/config.json' });
    expect(readFileSync(file.path, 'utf8')).toBe('{"dim": 64}');
    expect(await download({ file: 'sub folder/config.json' })).toMatchObject({ fromCache: true });
    hub.next('hub', hub.usual('hub'));
    hub.next('hub', (req, res) => sendRanges(req, res, Buffer.from('{"dim": 65}'), '"x"'));
    hub.small.set(`${REPO}/b.json`, Buffer.from('{"dim": 66}'));
    expect((await failure({ file: 'b.json' })).problem).toBe('wrong-bytes');
  });

  test('of a file of no bytes works', async () => {
    hub.files.set(`${REPO}/empty.pt`, Buffer.alloc(0));
    expect(await download({ file: 'empty.pt' })).toMatchObject({ bytes: 0 });
  });

  test('tells how far it is', async () => {
    const steps: number[] = [];
    await download({
      onProgress: ({ doneBytes, totalBytes, resumedBytes }) => {
        expect([totalBytes, resumedBytes]).toEqual([CONTENT.byteLength, 0]);
        steps.push(doneBytes);
      },
    });
    expect(steps[0]).toBe(0);
    expect(steps.at(-1)).toBe(CONTENT.byteLength);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
  });

  test('can be asked about before', async () => {
    const facts = { sha256: HASH, bytes: CONTENT.byteLength };
    expect(await fileFacts(options())).toEqual({ ...facts, inCache: false });
    expect(hub.fetches()).toEqual([]);
    await download();
    expect(await fileFacts(options())).toEqual({ ...facts, inCache: true });
  });

  test('follows a repository to its new name', async () => {
    hub.next('hub', (_, res) => {
      res.writeHead(307, { location: `/${REPO}/resolve/main/model.pt` }).end();
    });
    expect(await download({ repo: 'Old/Name' })).toMatchObject({ sha256: HASH });
  });
});

describe('a token', () => {
  const SECRET = 'hf_secret';

  test('goes to the hub and to no other host', async () => {
    await download({ env: { HF_TOKEN: SECRET } });
    const tokens = (name: string) =>
      hub.seen.filter(({ part }) => part === name).map(({ headers }) => headers.authorization);
    expect(tokens('hub')).toEqual([`Bearer ${SECRET}`]);
    expect(tokens('cdn')).toEqual([undefined]);
    expect(JSON.stringify(hub.seen.filter(({ part }) => part === 'cdn'))).not.toContain(SECRET);
  });

  test('is in no message, nor is the signature of the CDN', async () => {
    hub.always('cdn', (_, res) => res.writeHead(500).end());
    const { message } = await failure({ env: { HF_TOKEN: SECRET } });
    expect(`${message} ${notes.join(' ')}`).not.toMatch(/hf_secret|signature/);
  });
});

describe('an answer', () => {
  test.each([
    ['401 without a token', 401, {}, 'denied', /asks who you are \(401\).*set HF_TOKEN/],
    ['401 with a token', 401, { HF_TOKEN: 'x' }, 'denied', /does not accept the token of HF_TOKEN/],
    ['403', 403, { HF_TOKEN: 'x' }, 'denied', /accept the repository's terms/],
    ['404', 404, {}, 'not-found', /has no file "model.pt" in "Owner\/Models".*check the name/],
    ['418', 418, {}, 'server', /answered 418/],
  ] as const)('of %s is final', async (_, status, env, problem, message) => {
    hub.always('hub', (_req, res) => res.writeHead(status).end());
    const error = await failure({ env });
    expect([error.problem, error.message]).toEqual([problem, expect.stringMatching(message)]);
    expect(hub.seen).toHaveLength(1);
  });

  test('of 404 says whether repository, revision or file is missing', async () => {
    for (const [code, message] of [
      ['RepoNotFound', /no repository "Owner\/Models"/],
      ['RevisionNotFound', /no revision "v9"/],
      ['EntryNotFound', /no file "model.pt"/],
    ] as const) {
      hub.next('hub', (_, res) => res.writeHead(404, { 'x-error-code': code }).end());
      expect((await failure({ revision: 'v9' })).message).toMatch(message);
    }
  });

  test('of 429 is waited for as long as it says', async () => {
    hub.next('hub', (_, res) => res.writeHead(429, { 'retry-after': '1' }).end());
    const start = performance.now();
    expect(await download()).toMatchObject({ sha256: HASH });
    expect(performance.now() - start).toBeGreaterThan(990);
    expect(notes).toEqual([
      expect.stringMatching(/429 \(too many requests\): trying again in 1 s/),
    ]);
  });

  test('of 429 that asks for a date in hours is final, and says so', async () => {
    const later = new Date(Date.now() + 7_200_000).toUTCString();
    hub.next('cdn', (_, res) => res.writeHead(429, { 'retry-after': later }).end());
    expect((await failure()).message).toMatch(/asks to wait 1(19|20) min/);
  });

  test('of 500 and 503 is tried again, of hub and CDN', async () => {
    hub.next('hub', (_, res) => res.writeHead(500).end('oops'));
    hub.next('cdn', (_, res) => res.writeHead(503).end('oops'));
    expect(await download()).toMatchObject({ sha256: HASH });
    expect(notes).toHaveLength(2);
  });

  test('of 500 without end is given up', async () => {
    hub.always('hub', (_, res) => res.writeHead(500).end());
    const error = await failure();
    expect(error.problem).toBe('server');
    expect(error.message).toMatch(/answered 500.*gave up after 4 tries/);
    expect(hub.seen).toHaveLength(4);
  });

  test('of 403 from the CDN means an old address: the hub is asked for a new one', async () => {
    hub.next('cdn', (_, res) => res.writeHead(403).end());
    expect(await download()).toMatchObject({ sha256: HASH });
    expect(hub.seen.filter(({ part }) => part === 'hub')).toHaveLength(2);
  });

  test('without an ETag is no hub', async () => {
    hub.always('hub', (_, res) => res.end('<html>welcome to the airport</html>'));
    expect((await failure()).message).toMatch(/does not answer like a model hub.*HF_ENDPOINT/);
  });

  test('that redirects in a circle ends', async () => {
    hub.always('hub', (req, res) => res.writeHead(302, { location: req.url }).end());
    expect((await failure()).problem).toBe('server');
  });
});

describe('a connection', () => {
  test('cut in the middle goes on at the right byte', async () => {
    hub.next('cdn', cutAfter(CONTENT, 500_000, ETAG));
    hub.next('cdn', cutAfter(CONTENT, 300_000, ETAG));
    const resumed: number[] = [];
    const file = await download({ onProgress: ({ resumedBytes }) => resumed.push(resumedBytes) });
    expect(readFileSync(file.path).equals(CONTENT)).toBe(true);
    expect(ranges()).toEqual([undefined, 'bytes=500000-', 'bytes=800000-']);
    expect(new Set(resumed)).toEqual(new Set([0, 500_000, 800_000]));
    expect(hub.fetches()[1]?.headers['if-range']).toBe(ETAG);
  });

  test('cut more often than tries are allowed goes on while bytes come', async () => {
    for (let i = 0; i < 8; i++) hub.next('cdn', cutAfter(CONTENT, 100_000, ETAG));
    expect(await download()).toMatchObject({ sha256: HASH });
    expect(hub.fetches()).toHaveLength(9);
  });

  test('cut without a byte is given up, and the next run goes on', async () => {
    hub.next('cdn', cutAfter(CONTENT, 500_000, ETAG));
    for (let i = 0; i < 3; i++) hub.next('cdn', (_, res) => void res.destroy());
    const error = await failure();
    expect([error.problem, error.message]).toEqual([
      'network',
      expect.stringMatching(/gave up after 4 tries: run it again, and it goes on where it stopped/),
    ]);
    expect(blobs()).toEqual([`${HASH}.part`, `${HASH}.part.json`]);
    expect(await download()).toMatchObject({ sha256: HASH });
    expect(ranges().at(-1)).toBe('bytes=500000-');
    expect(blobs()).toEqual([HASH]);
  });

  test('that hangs before the answer is tried again', async () => {
    hub.next('hub', () => {});
    expect(await download({ timing: IMPATIENT })).toMatchObject({ sha256: HASH });
    expect(notes[0]).toMatch(/the server does not answer/);
  });

  test('that hangs in the middle is tried again', async () => {
    hub.next('cdn', (_, res) => {
      res.writeHead(200, { etag: ETAG, 'content-length': CONTENT.byteLength });
      res.write(CONTENT.subarray(0, 700_000));
    });
    expect(await download({ timing: IMPATIENT })).toMatchObject({ sha256: HASH });
    expect(notes[0]).toMatch(/the server stopped sending/);
    // How much of it was read before the time was up depends on the load of the machine.
    expect(ranges().at(-1)).toMatch(/^bytes=[1-9]\d*-$/);
  });

  test('to nowhere says so', async () => {
    const error = await failure({ env: { HF_ENDPOINT: 'http://127.0.0.1:1' } });
    expect([error.problem, error.message]).toEqual([
      'network',
      expect.stringMatching(/127.0.0.1:1: the server refuses connections.*4 tries/),
    ]);
  });

  test('to nowhere is not needed for what is in the cache', async () => {
    await download();
    const file = await download({ env: { HF_ENDPOINT: 'http://127.0.0.1:1' } });
    expect(file).toMatchObject({ fromCache: true, sha256: HASH });
    expect(notes[0]).toMatch(/using model.pt from the cache/);
  });

  test('ends when the user stops, and the part stays', async () => {
    const stop = new AbortController();
    hub.next('cdn', (_, res) => {
      res.writeHead(200, { etag: ETAG, 'content-length': CONTENT.byteLength });
      res.write(CONTENT.subarray(0, 600_000));
    });
    const stopped = download({
      signal: stop.signal,
      timing: { ...QUICK, silenceMs: 60_000 },
      onProgress: ({ doneBytes }) => {
        if (doneBytes === 600_000) stop.abort(new Error('stop now'));
      },
    });
    await expect(stopped).rejects.toThrow('stop now');
    expect(blobs()).toEqual([`${HASH}.part`, `${HASH}.part.json`]);
    await download();
    expect(ranges().at(-1)).toBe('bytes=600000-');
  });

  test('ends when the user stops while it waits for another try', async () => {
    const stop = new AbortController();
    hub.always('hub', (_, res) => res.writeHead(429, { 'retry-after': '60' }).end());
    const stopped = download({ signal: stop.signal, onNote: () => stop.abort(new Error('stop')) });
    await expect(stopped).rejects.toThrow('stop');
  });
});

describe('bytes', () => {
  test('that are wrong are kept aside, and the next run begins anew', async () => {
    const wrong = Buffer.from(CONTENT);
    wrong[123_456]! ^= 1;
    hub.next('cdn', (req, res) => sendRanges(req, res, wrong, ETAG));
    const { problem, message } = await failure();
    expect(problem).toBe('wrong-bytes');
    expect(message).toContain(`expected the hash ${HASH}`);
    expect(message).toContain(`${HASH}.bad`);
    expect(blobs()).toEqual([`${HASH}.bad`]);
    expect(readFileSync(join(cache, 'blobs', `${HASH}.bad`)).equals(wrong)).toBe(true);
    expect(await download()).toMatchObject({ sha256: HASH, fromCache: false });
    expect(ranges()).toEqual([undefined, undefined]);
  });

  test('that are wrong in the part from before are noticed too', async () => {
    hub.next('cdn', cutAfter(CONTENT, 500_000, ETAG));
    for (let i = 0; i < 3; i++) hub.next('cdn', (_, res) => void res.destroy());
    await failure();
    const bytes = readFileSync(part());
    bytes[7]! ^= 255;
    writeFileSync(part(), bytes);
    expect((await failure()).problem).toBe('wrong-bytes');
  });

  test('of the LFS pointer are told from the file', async () => {
    hub.next('cdn', (req, res) => sendRanges(req, res, Buffer.from(lfsPointer(CONTENT)), ETAG));
    const { problem, message } = await failure();
    expect([problem, message]).toEqual([
      'wrong-bytes',
      expect.stringMatching(/sent the LFS pointer in place of the file/),
    ]);
    expect(blobs()).toEqual([`${HASH}.bad`]);
  });

  test('of a longer file are not taken', async () => {
    const longer = Buffer.concat([CONTENT, OTHER]);
    hub.always('cdn', (req, res) => sendRanges(req, res, longer, ETAG));
    expect((await failure()).message).toMatch(
      /announced 1200000 bytes, and the server has 2200000/,
    );
  });

  test('without end stop at the size that the hub announced', async () => {
    hub.always('cdn', (_, res) => {
      res.writeHead(200, { etag: ETAG });
      const more = (): void => {
        if (!res.destroyed) res.write(CONTENT, () => setImmediate(more));
      };
      more();
    });
    expect((await failure()).message).toMatch(/got more than its 1200000 bytes/);
    expect(blobs()).toEqual([]);
  });

  test('without an announced length that end early are a cut', async () => {
    hub.next('cdn', (_, res) => {
      res.writeHead(200, { etag: ETAG });
      res.end(CONTENT.subarray(0, 400_000));
    });
    expect(await download()).toMatchObject({ sha256: HASH });
    expect(notes[0]).toMatch(/cut after 400000 of 1200000 bytes/);
    expect(ranges()).toEqual([undefined, 'bytes=400000-']);
  });

  test('of another range than asked for are not joined', async () => {
    hub.next('cdn', cutAfter(CONTENT, 500_000, ETAG));
    hub.next('cdn', (_, res) => {
      res.writeHead(206, {
        'content-range': `bytes 0-1199999/1200000`,
        'content-length': 1_200_000,
      });
      res.end(CONTENT);
    });
    expect(await download()).toMatchObject({ sha256: HASH });
    expect(ranges()).toEqual([undefined, 'bytes=500000-', undefined]);
  });

  test('of a server without ranges come from the start', async () => {
    hub.next('cdn', cutAfter(CONTENT, 500_000, ETAG));
    hub.next('cdn', (_, res) => {
      res.writeHead(200, { 'content-length': CONTENT.byteLength }).end(CONTENT);
    });
    const file = await download();
    expect(readFileSync(file.path).equals(CONTENT)).toBe(true);
    expect(hub.fetches()).toHaveLength(2);
  });
});

describe('a file that changes', () => {
  test('between two tries is fetched from the start', async () => {
    hub.next('cdn', (req, res) => {
      hub.files.set(`${REPO}/model.pt`, OTHER);
      cutAfter(CONTENT, 500_000, ETAG)(req, res);
    });
    const file = await download();
    expect(file.sha256).toBe(sha256(OTHER));
    expect(readFileSync(file.path).equals(OTHER)).toBe(true);
    expect(notes).toContain('model.pt changed on the hub: starting again');
    expect(blobs()).toEqual([sha256(OTHER)]);
  });

  test('on the CDN alone is fetched from the start (If-Range)', async () => {
    hub.next('cdn', cutAfter(OTHER, 500_000, '"other"'));
    const file = await download();
    expect(readFileSync(file.path).equals(CONTENT)).toBe(true);
    expect(hub.fetches()[1]?.headers['if-range']).toBe('"other"');
  });

  test('between two runs leaves both, the newer one under the name', async () => {
    const first = await download();
    hub.files.set(`${REPO}/model.pt`, OTHER);
    const second = await download();
    expect(second).toMatchObject({ fromCache: false, sha256: sha256(OTHER) });
    expect(existsSync(first.path)).toBe(true);
    expect(await download({ env: { HF_HUB_OFFLINE: '1' } })).toMatchObject({
      sha256: sha256(OTHER),
    });
  });
});

describe('offline', () => {
  test.each(['1', 'true', 'YES', 'on'])(
    '(%s) takes what is in the cache and asks nobody',
    async (on) => {
      await download();
      const requests = hub.seen.length;
      expect(await download({ env: { HF_HUB_OFFLINE: on } })).toMatchObject({ fromCache: true });
      expect(hub.seen).toHaveLength(requests);
    },
  );

  test('without the file says what to do', async () => {
    const { problem, message } = await failure({ env: { HF_HUB_OFFLINE: '1' } });
    expect([problem, message]).toEqual(['offline', expect.stringMatching(/HF_HUB_OFFLINE is set/)]);
    expect(message).toContain(cache);
    expect(hub.seen).toEqual([]);
  });

  test('0 is online', async () => {
    expect(await download({ env: { HF_HUB_OFFLINE: '0' } })).toMatchObject({ fromCache: false });
  });
});

describe('the cache', () => {
  test('with a broken record or a cut content fetches again', async () => {
    await download();
    const record = join(cache, 'refs/Owner--Models/main/model.pt.json');
    writeFileSync(record, '{"sha256": "../../etc');
    expect(await download()).toMatchObject({ fromCache: true });
    writeFileSync(join(cache, 'blobs', HASH), 'cut');
    expect(await download()).toMatchObject({ fromCache: false });
    expect(readFileSync(join(cache, 'blobs', HASH)).equals(CONTENT)).toBe(true);
  });

  test('with a part that is longer than the file begins anew', async () => {
    await download();
    rmSync(join(cache, 'blobs', HASH));
    writeFileSync(part(), Buffer.concat([CONTENT, OTHER]));
    const file = await download();
    expect(readFileSync(file.path).equals(CONTENT)).toBe(true);
  });

  test('with a part that is whole only checks it', async () => {
    await fileFacts(options());
    await download();
    rmSync(join(cache, 'blobs', HASH));
    writeFileSync(part(), CONTENT);
    expect(await download()).toMatchObject({ sha256: HASH });
    expect(hub.fetches()).toHaveLength(1);
  });

  test('on a full disk is not begun', async () => {
    const { problem, message } = await failure({ freeBytes: async () => 50e6 });
    expect([problem, message]).toEqual([
      'disk',
      expect.stringMatching(/model.pt needs 1.2 MB, and .* has 50.0 MB free/),
    ]);
    expect(blobs().filter((name) => !name.endsWith('.part'))).toEqual([]);
  });

  test('in a place that cannot be written says so', async () => {
    const file = join(cache, 'file');
    writeFileSync(file, '');
    const { problem, message } = await failure({ env: { LLAMAGEN_CACHE: join(file, 'below') } });
    expect([problem, message]).toEqual(['disk', expect.stringMatching(/set LLAMAGEN_CACHE/)]);
  });

  test('keeps names of files inside', async () => {
    hub.files.set(`${REPO}/../../x.pt`, CONTENT);
    await download({ file: '../../x.pt' }).catch(() => undefined);
    expect(readdirSync(cache).every((name) => ['blobs', 'refs'].includes(name))).toBe(true);
    expect(existsSync(join(cache, '..', 'x.pt.json'))).toBe(false);
  });
});
