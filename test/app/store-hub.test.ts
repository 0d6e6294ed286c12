/** Models of the hub in a browser, from servers that play the hub and its CDN. */
import type { Browser, BrowserContext, Worker } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openGiven } from '../../src/convert/given.ts';
import { memorySource } from '../../src/weights/source.ts';
import { tinyCheckpoints } from '../support/checkpoints.ts';
import { goldenFiles } from '../support/golden-model.ts';
import { cutAfter, type FakeHub, lfsPointer, sha256, startHub } from '../support/hub.ts';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser } from './support/browser.ts';
import type { StaticServer } from './support/static-server.ts';
import type { Opened, StoreApi } from './support/store-api.ts';
import { openWorker, serveStore } from './support/store-site.ts';

declare const api: StoreApi;

const REPO = 'someone/tiny';
const FILES = goldenFiles('c2i_tiny');
const NAMES = ['model.json', 'gpt.safetensors', 'vq.safetensors'] as const;
const HASHES = Object.fromEntries(NAMES.map((name) => [name, sha256(FILES[name]!)]));

describe.skipIf(!hasChromium)('models of the hub', () => {
  let site: StaticServer;
  let browser: Browser;
  let context: BrowserContext;
  let worker: Worker;
  let hub: FakeHub;

  beforeAll(async () => {
    [site, browser] = await Promise.all([serveStore(), connectBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });
  beforeEach(async () => {
    hub = await startHub();
    for (const [name, bytes] of Object.entries(FILES)) {
      const map = name.endsWith('.json') ? hub.small : hub.files;
      map.set(`${REPO}/${name}`, Buffer.from(bytes));
    }
    context = await browser.newContext();
    worker = await openWorker(await context.newPage(), site.url);
  });
  afterEach(async () => {
    await context.close();
    await hub.close();
  });

  const open = (name: string, token?: string, revision?: string): Promise<Opened> =>
    worker.evaluate(({ hub, revision, options }) => api.open({ hub, revision }, { hub: options }), {
      hub: name,
      revision,
      options: { endpoint: hub.endpoint, token },
    });
  const failure = async (name: string, token?: string, revision?: string) =>
    (await open(name, token, revision)).error;

  test('are fetched once, checked, and asked for again by one request', async () => {
    const first = await open(REPO);
    expect(first).toMatchObject({ notes: [], files: HASHES });
    expect(first.models).toMatchObject([{ name: 'c2i_tiny', source: { hub: REPO } }]);
    hub.seen.length = 0;
    expect(await open(REPO)).toMatchObject({ notes: [], files: HASHES, progress: [] });
    expect(hub.seen.map(({ url }) => url)).toEqual([
      `/api/models/${REPO}/revision/main?blobs=true`,
      expect.stringMatching(/^\/someone\/tiny\/resolve\/ce98ec41\w+\/model.json$/),
    ]);
    await hub.close();
    const offline = await open(REPO);
    expect(offline.files).toEqual(HASHES);
    expect(offline.notes).toEqual([expect.stringMatching(/^using c2i_tiny as it is stored: 127/)]);
  });

  test.each([
    ['the address of a page', (endpoint: string) => `${endpoint}/${REPO}/tree/main`],
    ['a revision', () => `${REPO}@main`],
  ])('may be named by %s', async (_, name) => {
    expect((await open(name(hub.endpoint))).files).toEqual(HASHES);
  });

  test('may lie in a folder, whose repository says so', async () => {
    for (const [name, bytes] of Object.entries(FILES)) {
      hub.files.set(`someone/many/models/tiny/${name}`, Buffer.from(bytes));
    }
    expect(await failure('someone/many')).toMatchObject({
      name: 'WeightsError',
      message: expect.stringMatching(/holds no model .* in folders: someone\/many\/models\/tiny$/),
    });
    expect((await open('someone/many/models/tiny')).files).toEqual(HASHES);
  });

  test.each([
    [
      'no/such',
      undefined,
      'denied',
      /^no\/such: .* asks who you are \(401\): the repository is not there/,
    ],
    ['someone/tiny', 'nope', 'not-found', /has no revision "nope" of "someone\/tiny" \(404\)/],
    ['c2i-B-256', undefined, 'denied', /^FoundationVision\/LlamaGen: .*\(401\)/],
  ])('%s at %s that are not there', async (name, revision, problem, message) => {
    const error = await failure(name, undefined, revision);
    expect(error).toMatchObject({ name: 'DownloadError', problem });
    expect(error?.message).toMatch(message);
  });

  test('with terms ask for a token, which goes to the hub alone', async () => {
    hub.gated.add(REPO);
    expect(await failure(REPO)).toMatchObject({
      problem: 'denied',
      message: expect.stringMatching(/someone\/tiny\/.*: .*wants its terms accepted on its page/),
    });
    expect((await failure(REPO, 'bad'))?.message).toMatch(/does not accept the token/);
    expect((await open(REPO, 'good')).files).toEqual(HASHES);
    const tokens = hub.seen.map(({ part, headers }) => [part, headers.authorization]);
    expect(tokens).toContainEqual(['hub', 'Bearer good']);
    expect(tokens.filter(([part, token]) => part === 'cdn' && token !== undefined)).toEqual([]);
  });

  test('whose bytes are others are refused, and fetched whole next time', async () => {
    const [name] = ['gpt.safetensors'] as const;
    const wrong = Buffer.from(FILES[name]!);
    wrong[wrong.length >> 1]! ^= 1;
    hub.always('cdn', (req, res) => {
      const isIt = req.url?.includes(sha256(FILES[name]!));
      if (isIt) res.writeHead(200, { 'content-length': wrong.length }).end(wrong);
      else hub.usual('cdn')(req, res);
    });
    const error = await failure(REPO);
    expect(error).toMatchObject({ name: 'DownloadError', problem: 'wrong-bytes' });
    expect(error?.message).toMatch(/gpt.safetensors: expected the hash [0-9a-f]{64}, got/);
    hub.always('cdn', hub.usual('cdn'));
    expect(await open(REPO)).toMatchObject({ files: HASHES, notes: [] });
  });

  test.each([
    [
      'an LFS pointer',
      () => Buffer.from(lfsPointer(FILES['vq.safetensors']!)),
      /LFS pointer in place/,
    ],
    [
      'a web page',
      () => Buffer.from('<!doctype html><title>Log in</title>'),
      /a web page in its place/,
    ],
  ])('with %s in place of a file', async (_, content, message) => {
    hub.files.delete(`${REPO}/vq.safetensors`);
    hub.small.set(`${REPO}/vq.safetensors`, content());
    expect((await failure(REPO))?.message).toMatch(message);
  });

  test('go on when the connection is cut', async () => {
    const bytes = Buffer.from(FILES['gpt.safetensors']!);
    hub.next('cdn', hub.usual('cdn'));
    hub.next(
      'cdn',
      cutAfter(bytes, 5000, '"x"', () => 5000),
    );
    const opened = await open(REPO);
    expect(opened.files).toEqual(HASHES);
    expect(opened.notes).toEqual([expect.stringMatching(/trying again in \d s$/)]);
  });

  test('that are two checkpoints are converted as they are read', async () => {
    const files = tinyCheckpoints();
    for (const [name, bytes] of Object.entries(files)) {
      hub.files.set(`someone/pts/${name}`, Buffer.from(bytes));
    }
    const opened = await open('someone/pts');
    const model = await openGiven(
      new Map(Object.entries(files).map(([path, bytes]) => [path, memorySource(path, bytes)])),
    );
    for (const name of NAMES) {
      const source = await model.open(name);
      const bytes = await source.read(0, source.byteLength);
      expect(opened.files[name]).toBe(sha256(bytes));
    }
    const estimate = await worker.evaluate(
      ({ repo, endpoint }) => api.estimate({ hub: repo }, { endpoint }),
      { repo: 'someone/pts', endpoint: hub.endpoint },
    );
    expect(estimate).toMatchObject({ name: 'ddp_model', modelType: 'c2i', pixels: 8 });
  });

  test('of official names are fetched from their repository', async () => {
    // Too small to be what it is called, which the check of its sizes says.
    const { 'ddp_model.pt': gpt, 'vq.pt': vq } = tinyCheckpoints();
    hub.files.set('FoundationVision/LlamaGen/c2i_B_256.pt', Buffer.from(gpt));
    hub.files.set('FoundationVision/LlamaGen/vq_ds16_c2i.pt', Buffer.from(vq));
    const small = await open('c2i_B_256');
    expect(small.models).toEqual([]);
    expect(small.error?.message).toMatch(/^c2i_B_256.pt: has 2 layers of 16 features, which is no/);
    expect((await failure('FoundationVision/LlamaGen'))?.message).toMatch(
      /^c2i_B_256.pt: has 2 layers/,
    );
    const estimate = await worker.evaluate(
      (endpoint) => api.estimate({ hub: 'c2i-B-256' }, { endpoint }),
      hub.endpoint,
    );
    const bytes = gpt.byteLength + vq.byteLength;
    expect(estimate).toMatchObject({ name: 'c2i-B-256', pixels: 256, bytes });
    expect(estimate).toHaveProperty('gpuBytes', expect.closeTo(556e6, -7));
    hub.files.set('FoundationVision/LlamaGen/c2i_L_256.pt', Buffer.from(gpt));
    expect((await failure('FoundationVision/LlamaGen'))?.message).toMatch(
      /but official ones: ask for c2i-B-256, c2i-L-256 by name$/,
    );
    expect((await failure('vq-ds16-c2i'))?.message).toMatch(/is a tokenizer alone/);
    expect((await failure('t2i-XL-256'))?.message).toMatch(/needs google\/flan-t5-xl, of 2.4 GB/);
  });

  test('tell what they take before they are fetched', async () => {
    const estimate = await worker.evaluate(
      ({ repo, endpoint }) => api.estimate({ hub: repo }, { endpoint }),
      { repo: REPO, endpoint: hub.endpoint },
    );
    const bytes = NAMES.reduce((sum, name) => sum + FILES[name]!.byteLength, 0);
    expect(estimate).toMatchObject({ name: 'c2i_tiny', modelType: 'c2i', pixels: 8, bytes });
    const sent = hub.fetches().map(({ headers }) => headers.range);
    expect(sent.every((range) => /^bytes=\d+-\d+$/.test(range ?? ''))).toBe(true);
  });
});
