/** A server that plays the routes of the Hugging Face hub, and one that plays its CDN. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Part = 'hub' | 'cdn';
export type Answer = (req: IncomingMessage, res: ServerResponse) => void;

/** One request as it arrived. */
export interface Seen {
  readonly part: Part;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

export interface FakeHub {
  readonly endpoint: string;
  readonly cdn: string;
  readonly seen: Seen[];
  /** Files in LFS by `owner/repo/path`; others in `small`. */
  readonly files: Map<string, Buffer>;
  readonly small: Map<string, Buffer>;
  /** Repositories whose files only the token `good` may read. */
  readonly gated: Set<string>;
  /** Answers the next request to one of the servers in another way. */
  next(part: Part, answer: Answer): void;
  /** Answers all requests to one of the servers in another way. */
  always(part: Part, answer: Answer): void;
  /** Answers as usual, for answers that only add a fault. */
  usual(part: Part): Answer;
  /** Requests for bytes that the CDN got. */
  fetches(): Seen[];
  close(): Promise<void>;
}

export const sha256 = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

/** The text that stands for a large file in git. */
export const lfsPointer = (bytes: Uint8Array): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(bytes)}\nsize ${bytes.byteLength}\n`;

const COMMIT = 'ce98ec41803a74a90ce68c40ababa9eaeffeb4ec';

/** What the hub lets pages of other origins do and see. */
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'authorization, range',
  'access-control-expose-headers':
    'x-repo-commit,x-error-code,x-error-message,etag,accept-ranges,content-range,x-linked-size,x-linked-etag',
};

const gitHash = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.byteLength}\0`).update(bytes).digest('hex');

/** The list of a repository's files, as the API gives it. */
function sendListing(
  res: ServerResponse,
  repo: string,
  revision: string,
  { files, small }: Pick<FakeHub, 'files' | 'small'>,
): void {
  const within = <T>(map: ReadonlyMap<string, Buffer>, entry: (bytes: Buffer) => T) =>
    [...map]
      .filter(([path]) => path.startsWith(`${repo}/`))
      .map(([path, bytes]) => ({ rfilename: path.slice(repo.length + 1), ...entry(bytes) }));
  const siblings = [
    ...within(small, (bytes) => ({ size: bytes.byteLength, blobId: gitHash(bytes) })),
    ...within(files, (bytes) => ({
      size: bytes.byteLength,
      blobId: gitHash(Buffer.from(lfsPointer(bytes))),
      lfs: { sha256: sha256(bytes), size: bytes.byteLength, pointerSize: 133 },
    })),
  ];
  const isKnown = ['main', COMMIT].includes(revision);
  const code = siblings.length === 0 ? 'RepoNotFound' : isKnown ? undefined : 'RevisionNotFound';
  if (code) res.writeHead(code === 'RepoNotFound' ? 401 : 404, { 'x-error-code': code }).end();
  else res.writeHead(200).end(JSON.stringify({ id: repo, sha: COMMIT, siblings }));
}

export async function startHub(): Promise<FakeHub> {
  const files = new Map<string, Buffer>();
  const small = new Map<string, Buffer>();
  const gated = new Set<string>();
  const seen: Seen[] = [];
  const faults: Record<Part, Answer[]> = { hub: [], cdn: [] };
  const standing: Partial<Record<Part, Answer>> = {};

  const usual: Record<Part, Answer> = {
    hub(req, res) {
      const listed = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/([^/]+)\?blobs=true$/.exec(
        decodeURIComponent(req.url ?? ''),
      );
      if (listed) return sendListing(res, listed[1] ?? '', listed[2] ?? '', { files, small });
      const [, repo = '', , file = ''] =
        /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(decodeURIComponent(req.url ?? '')) ?? [];
      const linked = files.get(`${repo}/${file}`);
      const plain = small.get(`${repo}/${file}`);
      if (gated.has(repo) && req.headers.authorization !== 'Bearer good') {
        res.writeHead(401, { 'x-error-code': 'GatedRepo' }).end();
      } else if (linked) {
        res.writeHead(302, {
          location: `${cdn.origin}/${sha256(linked)}?signature=secret`,
          etag: `"${createHash('md5').update(lfsPointer(linked)).digest('hex')}"`,
          'x-linked-etag': `"${sha256(linked)}"`,
          'x-linked-size': String(linked.byteLength),
          'x-repo-commit': COMMIT,
          'accept-ranges': 'bytes',
        });
        res.end();
      } else if (plain) {
        sendRanges(req, res, plain, `"${gitHash(plain)}"`);
      } else {
        const known = [...files.keys(), ...small.keys()].some((path) =>
          path.startsWith(`${repo}/`),
        );
        const code = known ? 'EntryNotFound' : 'RepoNotFound';
        res.writeHead(known ? 404 : 401, { 'x-error-code': code }).end();
      }
    },
    cdn(req, res) {
      const hash = /^\/([0-9a-f]{64})\?/.exec(req.url ?? '')?.[1];
      const bytes = [...files.values()].find((content) => sha256(content) === hash);
      if (bytes) sendRanges(req, res, bytes, `"cdn-${hash?.slice(0, 8)}"`);
      else res.writeHead(403).end();
    },
  };

  const serve = (part: Part) =>
    listen((req, res) => {
      seen.push({ part, method: req.method ?? '', url: req.url ?? '', headers: req.headers });
      for (const [name, value] of Object.entries(CORS)) res.setHeader(name, value);
      if (req.method === 'OPTIONS') return void res.writeHead(204).end();
      const answer = faults[part].shift() ?? standing[part] ?? usual[part];
      answer(req, res);
    });
  const hub = await serve('hub');
  const cdn = await serve('cdn');
  return {
    endpoint: hub.origin,
    cdn: cdn.origin,
    seen,
    files,
    small,
    gated,
    next: (part, answer) => void faults[part].push(answer),
    always: (part, answer) => {
      standing[part] = answer;
    },
    usual: (part) => usual[part],
    fetches: () => seen.filter(({ part, method }) => part === 'cdn' && method === 'GET'),
    close: async () => {
      await hub.close();
      await cdn.close();
    },
  };
}

/** Answers like a file server that knows ranges. */
export function sendRanges(
  req: IncomingMessage,
  res: ServerResponse,
  bytes: Buffer,
  etag: string,
): void {
  const total = bytes.byteLength;
  const ifRange = req.headers['if-range'];
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '') ?? [];
  const isRange = first !== undefined && (ifRange === undefined || ifRange === etag);
  const start = isRange ? Number(first) : 0;
  if (start > 0 && start >= total) {
    res.writeHead(416, { 'content-range': `bytes */${total}` }).end();
    return;
  }
  const end = isRange && last ? Math.min(total, Number(last) + 1) : total;
  res.writeHead(isRange ? 206 : 200, {
    etag,
    'accept-ranges': 'bytes',
    'content-length': end - start,
    ...(isRange && { 'content-range': `bytes ${start}-${end - 1}/${total}` }),
  });
  if (req.method === 'HEAD') res.end();
  else res.end(bytes.subarray(start, end));
}

/**
 * Starts an answer for all bytes, sends `count` of them and cuts the connection.
 * @param arrived Bytes of the file that the client has: what it has not read yet when the connection
 * breaks is lost to it, and how much that is depends on the load of the machine.
 */
export function cutAfter(
  bytes: Buffer,
  count: number,
  etag: string,
  arrived: () => number,
): Answer {
  return (req, res) => {
    const start = Number(/^bytes=(\d+)-$/.exec(req.headers.range ?? '')?.[1] ?? 0);
    const total = bytes.byteLength;
    res.writeHead(start > 0 ? 206 : 200, {
      etag,
      'content-length': total - start,
      ...(start > 0 && { 'content-range': `bytes ${start}-${total - 1}/${total}` }),
    });
    res.write(bytes.subarray(start, start + count));
    const watch = setInterval(() => {
      if (arrived() < start + count) return;
      clearInterval(watch);
      res.destroy();
    }, 2);
    res.on('close', () => clearInterval(watch));
  };
}

/** A server on a port of its own, of this machine only. */
export async function listen(
  answer: Answer,
): Promise<{ origin: string; server: Server; close(): Promise<void> }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
