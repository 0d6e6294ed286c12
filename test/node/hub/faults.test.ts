/** Downloads over bad connections, of wrong bytes and of files that change. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lfsPointer, sendRanges, sha256 } from '../../support/hub.ts';
import {
  blobs,
  CONTENT,
  cache,
  cutAfter,
  download,
  ETAG,
  failure,
  HASH,
  hub,
  IMPATIENT,
  notes,
  OTHER,
  part,
  QUICK,
  REPO,
  ranges,
  useHub,
} from './fixture.ts';

useHub();

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
