/** Downloads: content, cache, tokens, and the answers of the hub. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileFacts } from '../../../src/node/hub/download.ts';
import { sendRanges } from '../../support/hub.ts';
import {
  blobs,
  CONTENT,
  cache,
  download,
  failure,
  HASH,
  hub,
  notes,
  options,
  REPO,
  useHub,
} from './fixture.ts';

useHub();

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
