/** Model folders on the servers that people use, and on some that misbehave. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createRawServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { createServer as createVite, preview } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { openUrl, type UrlOptions } from '../../src/web/files.ts';
import { type Listening, listening } from '../support/proxy.ts';
import { normal } from '../support/random.ts';

const CONTENT = Buffer.from(normal(200_000, 1, 1).buffer);
const PAGE = '<!doctype html>\n<html><body>app</body></html>';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-servers-'));
  writeFileSync(join(folder, 'gpt.safetensors'), CONTENT);
  writeFileSync(join(folder, 'model.json'), '{"a": 1}');
  writeFileSync(join(folder, 'one.bin'), 'x');
  writeFileSync(join(folder, 'index.html'), PAGE);
});
afterAll(() => rmSync(folder, { recursive: true }));

let server: Listening | undefined;
let notes: string[] = [];
afterEach(async () => {
  await server?.close();
  server = undefined;
  notes = [];
});

const files = (url: string, options: UrlOptions = {}) =>
  openUrl(url, { onNote: (note) => notes.push(note), ...options });

/** Reads here and there, at both ends, and all of it. */
async function expectContent(url: string, options?: UrlOptions): Promise<void> {
  const source = await files(url, options).open('gpt.safetensors');
  const { length } = CONTENT;
  expect(source.byteLength).toBe(length);
  for (const [from, count] of [
    ...[
      [0, 1],
      [0, 8],
      [8, 70_000],
      [length - 1, 1],
      [123_456, 1],
      [length - 300_000, 300_000],
    ],
    ...[
      [1, 1],
      [0, length],
    ],
  ] as const) {
    const bytes = await source.read(from, count);
    expect(Buffer.from(bytes).equals(CONTENT.subarray(from, from + count))).toBe(true);
  }
}

/** Serves `gpt.safetensors` as `answer` says; its URL. */
async function serve(
  answer: (request: Range, res: ServerResponse, req: IncomingMessage) => void,
): Promise<string> {
  const made = createServer((req, res) => {
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '') ?? [];
    const last = CONTENT.length - 1;
    answer({ from: Number(from ?? 0), to: Math.min(Number(to || last), last) }, res, req);
  });
  server = await listening(made);
  return `http://127.0.0.1:${server.port}`;
}

/** The range that was asked for. */
interface Range {
  readonly from: number;
  readonly to: number;
}

const piece = ({ from, to }: Range) => CONTENT.subarray(from, to + 1);
const rangeOf = ({ from, to }: Range, total: number | '*' = CONTENT.length) =>
  `bytes ${from}-${to}/${total}`;
const whole = { 'content-length': CONTENT.length };

/** The error of opening the file and reading a piece from its middle. */
async function failure(url: string, options?: UrlOptions): Promise<unknown> {
  try {
    const source = await files(url, options).open('gpt.safetensors');
    await source.read(1000, 50);
  } catch (error) {
    return error;
  }
  throw new Error('read without an error');
}

describe('Vite', () => {
  let dev: Awaited<ReturnType<typeof createVite>>;
  let built: Awaited<ReturnType<typeof preview>>;
  const urls: Record<string, string> = {};
  beforeAll(async () => {
    const common = { root: folder, configFile: false, logLevel: 'silent' } as const;
    const quiet = { host: '127.0.0.1', port: 0, hmr: false, ws: false, watch: null } as const;
    const cacheDir = join(folder, '.vite');
    dev = await createVite({
      ...common,
      cacheDir,
      server: quiet,
      optimizeDeps: { noDiscovery: true },
    });
    await dev.listen();
    const build = { outDir: '.' };
    built = await preview({ ...common, build, preview: { host: '127.0.0.1', port: 0 } });
    urls.dev = dev.resolvedUrls?.local[0] ?? '';
    urls.preview = built.resolvedUrls?.local[0] ?? '';
  }, 30_000);
  afterAll(async () => {
    await dev.close();
    await built.close();
  });

  test.each(['dev', 'preview'])(
    '(%s) answers 0-0 with all, and is read by pieces',
    async (name) => {
      const url = urls[name] ?? '';
      const probe = await fetch(`${url}gpt.safetensors`, { headers: { Range: 'bytes=0-0' } });
      expect(probe.headers.get('content-range')).toBe(rangeOf({ from: 0, to: CONTENT.length - 1 }));
      await probe.body?.cancel();
      await expectContent(url);
      const json = await files(url).open('model.json');
      expect(Buffer.from(await json.read(0, json.byteLength)).toString()).toBe('{"a": 1}');
      expect((await files(url).open('one.bin')).byteLength).toBe(1);
      expect(notes).toEqual([]);
    },
  );

  test.each(['dev', 'preview'])(
    '(%s) sends its page for a file that is not there',
    async (name) => {
      const opened = files(urls[name] ?? '').open('vq.safetensors');
      await expect(opened).rejects.toThrow(WeightsError);
      await expect(opened).rejects.toThrow(/vq.safetensors: no such file/);
    },
  );
});

describe('a server without ranges', () => {
  const plain = () => serve((_, res) => res.writeHead(200, whole).end(CONTENT));

  test('such as that of Python (HTTP/1.0) sends a file once', async () => {
    let requests = 0;
    const made = createRawServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        requests++;
        const type = 'Content-type: application/octet-stream';
        socket.write(`HTTP/1.0 200 OK\r\n${type}\r\nContent-Length: ${CONTENT.length}\r\n\r\n`);
        socket.end(CONTENT);
      });
    });
    server = await listening(made);
    await expectContent(`http://127.0.0.1:${server.port}`);
    expect([requests, notes.length]).toEqual([1, 1]);
    expect(notes[0]).toContain(`all ${CONTENT.length} bytes are held in memory`);
  });

  test.each([
    ['with its length', whole],
    ['without', {}],
  ])('%s is refused beyond what may be held, and told how much that is', async (_, headers) => {
    let sent = 0;
    const url = await serve((_range, res) => {
      res.writeHead(200, headers);
      const more = (): void => {
        if (res.destroyed || sent > 200 * CONTENT.length) return;
        sent += CONTENT.length;
        res.write(CONTENT, () => setImmediate(more));
      };
      if ('content-length' in headers) res.end(CONTENT);
      else more();
    });
    const error = await failure(url, { maxHeldBytes: CONTENT.length - 1 });
    expect(String(error)).toMatch(
      /gpt.safetensors: the server ignores range requests, and .* more than the 799999 bytes that may be held.*raise maxHeldBytes/,
    );
    expect(sent).toBeLessThan(100 * CONTENT.length);
  });

  test('may hold as much as is allowed, all files together, each counted once', async () => {
    const url = await plain();
    await expectContent(url, { maxHeldBytes: CONTENT.length });
    const both = files(url, { maxHeldBytes: 2 * CONTENT.length - 1 });
    await both.open('gpt.safetensors');
    await both.open('gpt.safetensors');
    await expect(both.open('vq.safetensors')).rejects.toThrow(/more than the 799999 bytes/);
    for (const maxHeldBytes of [-1, 0.5, Number.NaN]) {
      expect(() => openUrl(url, { maxHeldBytes })).toThrow(OptionError);
    }
  });

  test.each([
    ['gzip', gzipSync(CONTENT)],
    ['br', brotliCompressSync(CONTENT)],
  ])('that compresses (%s) is read as it unpacks', async (encoding, packed) => {
    const headers = { 'content-encoding': encoding, 'content-length': packed.length };
    const url = await serve((_, res) => res.writeHead(200, headers).end(packed));
    await expectContent(url);
    expect(notes).toHaveLength(1);
  });

  test('that fails for ranges, as a browser does where they come compressed, is asked for all', async () => {
    const packed = gzipSync(CONTENT);
    const url = await serve((_, res, { headers }) => {
      if (headers.range) res.destroy();
      else res.writeHead(200, { 'content-encoding': 'gzip' }).end(packed);
    });
    await expectContent(url);
    expect(notes).toHaveLength(1);
    expect(String(await failure(url, { maxHeldBytes: 9 }))).toMatch(/more than the 9 bytes/);
  });

  test('whose answer is cut or does not unpack says so', async () => {
    const cut = await serve((_, res) => {
      res.writeHead(200, whole).write(CONTENT.subarray(0, 5000), () => res.destroy());
    });
    expect(String(await failure(cut))).toMatch(/gpt.safetensors: the answer broke off/);
    await server?.close();
    const wrong = await serve((_, res) =>
      res.writeHead(200, { 'content-encoding': 'gzip' }).end(CONTENT),
    );
    expect(String(await failure(wrong))).toMatch(/the answer broke off: .*Content-Encoding/);
  });
});

describe('a server with ranges', () => {
  test.each([
    ['of everything, whatever is asked', { from: 0, to: CONTENT.length - 1 }, 1],
    ['of blocks', undefined, 0],
  ])('%s is understood', async (_, fixed, held) => {
    const url = await serve((asked, res) => {
      const block = { from: asked.from & ~4095, to: Math.min(asked.to | 4095, CONTENT.length - 1) };
      const sent = fixed ?? block;
      res.writeHead(206, { 'content-range': rangeOf(sent), etag: '"a"' }).end(piece(sent));
    });
    await expectContent(url);
    expect(notes).toHaveLength(held);
  });

  test.each([
    ['exactly', (asked: Range) => asked],
    ['as Vite', (asked: Range) => (asked.to === 0 ? { ...asked, to: CONTENT.length - 1 } : asked)],
  ])(
    'that hides Content-Range from other origins and answers %s is understood',
    async (_, what) => {
      const url = await serve((asked, res, { method }) => {
        if (method === 'HEAD') res.writeHead(200, whole).end();
        else res.writeHead(206).end(piece(what(asked)));
      });
      await expectContent(url);
      expect(notes).toEqual([]);
    },
  );

  test.each([
    ['refuses HEAD', (res: ServerResponse) => res.writeHead(405).end()],
    [
      'counts no body for HEAD',
      (res: ServerResponse) => res.writeHead(200, { 'content-length': 0 }).end(),
    ],
    [
      'packs HEAD',
      (res: ServerResponse) =>
        res.writeHead(200, { 'content-length': 77, 'content-encoding': 'br' }).end(),
    ],
    ['closes on HEAD', (res: ServerResponse) => void res.destroy()],
  ])('that hides sizes and %s is asked for the size by a range', async (_, head) => {
    const url = await serve((asked, res, { method }) => {
      const sent = piece(asked);
      if (method === 'HEAD') head(res);
      else res.writeHead(206, { 'content-length': sent.length }).end(sent);
    });
    await expectContent(url);
  });

  test('that tells no size at all is refused with the reason', async () => {
    const url = await serve((asked, res, { method }) => {
      res.writeHead(206, { 'transfer-encoding': 'chunked' });
      res.end(method === 'HEAD' ? undefined : piece(asked));
    });
    expect(String(await failure(url))).toMatch(/tells no size: let it send Content-Range/);
  });

  test.each([
    [
      'another range',
      206,
      (asked: Range) => ({ from: asked.from + 1, to: asked.to + 1 }),
      {},
      /asked for the bytes 0-0, the server sent "bytes 1-1\/800000"/,
    ],
    [
      'a shorter range',
      206,
      (asked: Range) => ({ from: asked.from, to: asked.from + 9 }),
      {},
      /asked for the bytes 1000-1049, the server sent "bytes 1000-1009/,
    ],
    [
      'a range in other units',
      206,
      (asked: Range) => asked,
      { 'content-range': 'items 0-0/5' },
      /the server sent "items 0-0\/5"/,
    ],
    [
      'several ranges',
      206,
      (asked: Range) => asked,
      { 'content-type': 'multipart/byteranges; boundary=x' },
      /sent several ranges/,
    ],
    [
      'packed parts',
      206,
      (asked: Range) => asked,
      { 'content-encoding': 'gzip' },
      /compresses parts of the file \(Content-Encoding: gzip\).*switch compression off/,
    ],
    ['no content', 203, (asked: Range) => asked, {}, /answered 203, which is no content/],
    [
      'a web page',
      206,
      (asked: Range) => asked,
      { 'content-type': 'text/html' },
      /no such file: the server sent a web page/,
    ],
    ['its own failure', 500, (asked: Range) => asked, {}, /answered 500/],
  ] as const)(
    'that sends %s is refused with the reason',
    async (_, status, what, headers, message) => {
      const url = await serve((asked, res) => {
        const sent = what(asked);
        res.writeHead(status, { 'content-range': rangeOf(sent), ...headers }).end(piece(sent));
      });
      expect(String(await failure(url))).toMatch(message);
    },
  );

  test('that hides where a longer piece begins is refused', async () => {
    const url = await serve((asked, res, { method }) => {
      if (method === 'HEAD') res.writeHead(200, whole).end();
      else res.writeHead(206).end(piece({ from: 0, to: asked.to }));
    });
    expect(String(await failure(url))).toMatch(
      /asked for the bytes 1000-1049, the server sent more than 50 bytes \(no Content-Range, or not exposed/,
    );
  });

  test.each([
    ['ETag', (i: number) => ({ etag: `"${i}"` })],
    ['date', (i: number) => ({ 'last-modified': new Date(i * 1000).toUTCString() })],
    [
      'size',
      (i: number) => ({ 'content-range': rangeOf({ from: 1000, to: 1049 }, CONTENT.length + i) }),
    ],
  ])('whose file changes between two reads (%s) is noticed', async (_, changing) => {
    let reads = 0;
    const url = await serve((asked, res) => {
      const changed = reads++ > 0 ? changing(reads) : changing(0);
      const range = { 'content-range': rangeOf(asked) };
      res.writeHead(206, reads > 1 ? { ...range, ...changed } : { ...changed, ...range });
      res.end(piece(asked));
    });
    const error = await failure(url);
    expect(error).toBeInstanceOf(WeightsError);
    expect(String(error)).toMatch(
      /gpt.safetensors: changed while it was read: load the model again/,
    );
  });
});

test.each([
  ['text/html', PAGE],
  ['application/octet-stream', `\uFEFF${PAGE}`],
])('a page in place of a missing file is no file, sent as %s', async (type, text) => {
  const url = await serve((_, res) => res.writeHead(200, { 'content-type': type }).end(text));
  expect(await failure(url)).toBeInstanceOf(WeightsError);
  expect(String(await failure(url))).toMatch(/no such file: the server sent a web page/);
  await expect(files(url).open('index.html')).resolves.toMatchObject({
    byteLength: expect.any(Number),
  });
});
