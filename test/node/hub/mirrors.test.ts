/** Mirrors and networks that do not answer as the hub does. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
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
  notes,
  part,
  QUICK,
  useHub,
} from './fixture.ts';

useHub();

const FILE = Buffer.alloc(2166, 9);
const GIT = createHash('sha1').update(`blob ${FILE.byteLength}\0`).update(FILE).digest('hex');
const PAGE = '<!DOCTYPE html><html>log in</html>';

type Headers = Record<string, string | number>;

/** Answers as a mirror that serves everything itself. */
const serve =
  (etag: string, body: Buffer | string, more: Headers = {}, head: Headers = {}) =>
  ({ method }: IncomingMessage, res: ServerResponse): void => {
    const isHead = method === 'HEAD';
    const given = { ...more, ...(isHead && head) };
    const length = !given['transfer-encoding'] && { 'content-length': Buffer.byteLength(body) };
    res.writeHead(200, { etag: `"${etag}"`, ...length, ...given });
    res.end(isHead ? undefined : body);
  };

describe('a mirror', () => {
  test.each([
    ['counts no body for HEAD', serve(GIT, FILE, {}, { 'content-length': 0 })],
    ['has no length for HEAD', serve(GIT, FILE, {}, { 'transfer-encoding': 'chunked' })],
    ['tells the hash of LFS, no length', serve('x', FILE, { 'x-linked-etag': sha256(FILE) })],
    ['marks its ETag as packed', serve(`${sha256(FILE)}-gzip`, FILE)],
    ['tells no hash', serve('x', FILE)],
    ['calls the file a web page', serve(sha256(FILE), FILE, { 'content-type': 'text/html' })],
  ])('that %s gives the file', async (_, answer) => {
    hub.always('hub', answer);
    const { path } = await download();
    expect(readFileSync(path).equals(FILE)).toBe(true);
  });

  test.each([405, 501])('that answers HEAD with %i is asked by GET', async (status) => {
    hub.always('hub', (req, res) => {
      if (req.method === 'HEAD') res.writeHead(status).end();
      else hub.usual('hub')(req, res);
    });
    expect(await download()).toMatchObject({ sha256: HASH });
    hub.always('hub', (_, res) => res.writeHead(405).end());
    expect((await failure({ file: 'b.pt' })).message).toMatch(/answered 405/);
  });

  test('that compresses although asked not to is refused with the reason', async () => {
    hub.always('hub', serve('x', FILE, { 'content-encoding': 'gzip' }));
    const { problem, message } = await failure();
    expect(problem).toBe('server');
    expect(message).toMatch(/compresses it \(Content-Encoding: gzip\)/);
    expect(notes).toEqual([]);
  });
});

describe('a web page in place of a file', () => {
  const html = { 'content-type': 'text/html; charset=utf-8' };
  test.each([
    ['with its type, no hash', serve('x', PAGE, html)],
    ['with no hash and no size', serve('x', PAGE, { ...html, 'transfer-encoding': 'chunked' })],
    ['with another type', serve('x', `\uFEFF\n ${PAGE}`, { 'content-type': 'text/plain' })],
    ['with no type', serve('x', PAGE.toLowerCase())],
    ['as XML', serve('x', '<?xml version="1.0"?><Error/>', { 'content-type': 'text/xml' })],
    ['with a hash of another file', serve(HASH, PAGE)],
    ['with the git hash of another', serve(GIT, PAGE, html)],
  ])('%s is not kept as weights', async (_, answer) => {
    hub.always('hub', answer);
    const { problem, message } = await failure();
    expect(problem).toBe('wrong-bytes');
    expect(message).toMatch(/sent a web page in place of the file.*login.*HF_ENDPOINT/);
    expect(existsSync(join(cache, 'refs'))).toBe(false);
    expect(blobs().filter((name) => !/\.(part|bad)$/.test(name))).toEqual([]);
  });

  test('takes the place of no bytes that are here', async () => {
    hub.next('cdn', cutAfter(CONTENT, 500_000, ETAG));
    hub.next('cdn', (_, res) => res.writeHead(200, html).end(PAGE));
    expect((await failure()).message).toMatch(/sent a web page/);
    hub.next('cdn', (_, res) => res.writeHead(200, { 'content-length': 3 }).end('abc'));
    expect((await failure()).message).toMatch(/announced 1200000 bytes, and the server has 3/);
    expect(readFileSync(part()).equals(CONTENT.subarray(0, 500_000))).toBe(true);
    expect(await download()).toMatchObject({ sha256: HASH });
    expect(hub.fetches().at(-1)?.headers.range).toBe('bytes=500000-');
  });

  test('is the file where its name says so', async () => {
    hub.always('hub', serve('x', PAGE, html));
    expect(await download({ file: 'index.html' })).toMatchObject({ bytes: PAGE.length });
  });

  test('or an LFS pointer is told without a hash', async () => {
    hub.always('hub', serve('x', lfsPointer(FILE)));
    expect((await failure()).message).toMatch(/sent the LFS pointer in place of the file/);
  });
});

describe('a body that is refused', () => {
  /** Large and small bodies end in different ways: what is left of a small one has come already. */
  const sizes = [
    [100_000, 10],
    [100_000, 90_000],
    [1_500_000, 1_400_000],
  ] as const;

  test.each(sizes)(
    'of %i bytes, %i more than announced, leaves no lock and no error',
    async (size, more) => {
      const file = Buffer.alloc(size, 5);
      hub.files.set('Owner/Models/model.pt', file);
      const longer = Buffer.concat([file, Buffer.alloc(more)]);
      hub.always('cdn', (req, res) => sendRanges(req, res, longer, ETAG));
      expect((await failure()).message).toMatch(/another file is in its place/);
      expect(blobs()).toEqual([`${sha256(file)}.part`]);
    },
  );

  test.each([1000, 150_000, 600_000])(
    'because its range is wrong, with %i bytes left, begins anew',
    async (left) => {
      const cut = CONTENT.byteLength - left;
      hub.next('cdn', cutAfter(CONTENT, cut, ETAG));
      hub.next('cdn', (_, res) => {
        const range = `bytes ${cut}-${CONTENT.byteLength - 1}/${CONTENT.byteLength + 1}`;
        res.writeHead(206, { 'content-range': range, 'content-length': left });
        res.end(CONTENT.subarray(cut));
      });
      expect(await download()).toMatchObject({ sha256: HASH });
      expect(notes.at(-1)).toMatch(/asked for the bytes from \d+, got .*: starting again/);
      expect(blobs()).toEqual([HASH]);
    },
  );

  test.each([10, 200_000])('of an error of %i bytes leaves nothing', async (size) => {
    hub.always('cdn', (_, res) => res.writeHead(500).end(Buffer.alloc(size)));
    expect((await failure({ timing: { ...QUICK, retries: 1 } })).message).toMatch(/answered 500/);
    expect(blobs()).toEqual([`${HASH}.part`]);
  });

  test('because the disk is full leaves no lock and no error', async () => {
    expect((await failure({ freeBytes: async () => 0 })).problem).toBe('disk');
    expect(blobs()).toEqual([`${HASH}.part`]);
  });
});
