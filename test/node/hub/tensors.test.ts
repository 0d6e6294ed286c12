/** Some tensors of a file of the hub, by ranges. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { DownloadError, WeightsError } from '../../../src/errors.ts';
import { openFile } from '../../../src/node/files.ts';
import { keptOf, planPartialFile, restOf } from '../../../src/node/hub/tensor-runs.ts';
import { downloadTensors } from '../../../src/node/hub/tensors.ts';
import { openSafetensors } from '../../../src/weights/safetensors.ts';
import { memorySource, readExactly } from '../../../src/weights/source.ts';
import { sendRanges, sha256 } from '../../support/hub.ts';
import { normal } from '../../support/random.ts';
import { bytesOf, writeSafetensors } from '../../support/safetensors.ts';
import { blobs, cache, hub, notes, options, REPO, useHub } from './fixture.ts';

useHub();

const tensor = (values: number, seed: number) => ({
  dtype: 'F32',
  shape: [values],
  bytes: bytesOf(normal(values, seed, 1)),
});
/** Encoder tensors close to each other, and a decoder in between that is asked around. */
const TENSORS = {
  'shared.weight': tensor(500, 1),
  'decoder.small': tensor(1000, 2),
  'encoder.a': tensor(20_000, 3),
  'decoder.large': tensor(300_000, 4),
  'encoder.b': tensor(30_000, 5),
  'encoder.c': tensor(7, 6),
  'lm_head.weight': tensor(100, 7),
};
const FILE = Buffer.from(writeSafetensors(TENSORS));
const WANTED = ['shared.weight', 'encoder.a', 'encoder.b', 'encoder.c'] as const;
const CHOICE = {
  name: 'encoder',
  wants: (name: string) => name === 'shared.weight' || name.startsWith('encoder.'),
};

const fetch = (more = {}) =>
  downloadTensors(options({ file: 'model.safetensors', ...more }), CHOICE);
const failure = (more = {}): Promise<Error> =>
  fetch(more).then(
    () => expect.unreachable('it was fetched'),
    (error: Error) => error,
  );
const bytesFetched = (): number =>
  hub.fetches().reduce((sum, { headers }) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
    return sum + Number(last) - Number(first) + 1;
  }, 0);

beforeEach(() => void hub.files.set(`${REPO}/model.safetensors`, FILE));

async function expectWanted(path: string): Promise<void> {
  const file = await openSafetensors(await openFile(path));
  expect([...file.tensors.keys()].sort()).toEqual([...WANTED].sort());
  for (const name of WANTED) {
    const { source, offset, byteLength } = file.tensors.get(name)!;
    const there = await readExactly(source, offset, byteLength);
    expect(Buffer.compare(there, TENSORS[name].bytes)).toBe(0);
  }
}

describe('tensors of a file', () => {
  test('come without what is large between them, as a file of their own', async () => {
    const file = await fetch();
    await expectWanted(file.path);
    expect(file.sha256).toBe(sha256(readFileSync(file.path)));
    expect(blobs()).toEqual([file.sha256]);
    // Length and text of the header, and one range before and one behind the large decoder.
    expect(hub.fetches()).toHaveLength(4);
    const wanted = WANTED.reduce((sum, name) => sum + TENSORS[name].bytes.length, 0);
    expect(bytesFetched()).toBeLessThan(wanted + 4000 + 2000);
  });

  test('are fetched once, and are there without a network', async () => {
    const { path } = await fetch();
    const seen = hub.fetches().length;
    expect(await fetch()).toMatchObject({ path, fromCache: true });
    expect(await fetch({ env: { HF_HUB_OFFLINE: '1' } })).toMatchObject({ path, fromCache: true });
    expect(hub.fetches()).toHaveLength(seen);
  });

  test('whose connection is cut go on at the right byte', async () => {
    hub.next('cdn', hub.usual('cdn'));
    hub.next('cdn', hub.usual('cdn'));
    hub.next('cdn', (req, res) => {
      // The first 50,000 bytes of the range, then nothing.
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(req.headers.range ?? '') ?? [];
      const [begin, end] = [Number(first), Number(last)];
      res.writeHead(206, {
        'content-length': end - begin + 1,
        'content-range': `bytes ${begin}-${end}/${FILE.byteLength}`,
      });
      res.write(FILE.subarray(begin, begin + 50_000), () => setTimeout(() => res.destroy(), 50));
    });
    const resumed: number[] = [];
    const file = await fetch({
      onProgress: ({ resumedBytes }: { resumedBytes: number }) => resumed.push(resumedBytes),
    });
    await expectWanted(file.path);
    expect(notes).toEqual([expect.stringMatching(/the connection was cut.*trying again/)]);
    const [, again] = [...new Set(resumed)];
    expect(again).toBeGreaterThan(2000);
    expect(again).toBeLessThan(85_000);
  });

  /** Stops a download after its first range. */
  async function interrupt(): Promise<string> {
    const interrupted = new AbortController();
    const stopped = failure({
      signal: interrupted.signal,
      onProgress: ({ doneBytes }: { doneBytes: number }) => {
        if (doneBytes > 90_000) interrupted.abort(new Error('stopped'));
      },
    });
    expect((await stopped).message).toBe('stopped');
    return join(cache, 'blobs', blobs().find((name) => name.endsWith('.part'))!);
  }
  const resumed: number[] = [];
  const onProgress = ({ resumedBytes }: { resumedBytes: number }) => resumed.push(resumedBytes);
  beforeEach(() => void resumed.splice(0));

  test('of a download that was stopped go on in the next one', async () => {
    const there = readFileSync(await interrupt()).byteLength;
    expect(there).toBeGreaterThan(90_000);
    await expectWanted((await fetch({ onProgress })).path);
    expect(new Set(resumed)).toEqual(new Set([there]));
    // The header again, and what is missing.
    const last = hub.fetches().slice(-1)[0]?.headers.range;
    expect(Number(/^bytes=(\d+)/.exec(last ?? '')?.[1])).toBeGreaterThan(1_280_000);
  });

  test('begin again where the part file is another', async () => {
    const part = await interrupt();
    const whole = readFileSync(part);
    writeFileSync(part, Buffer.concat([Buffer.from('x'), whole.subarray(1)]));
    await expectWanted((await fetch({ onProgress })).path);
    expect(resumed.every((bytes) => bytes === 0)).toBe(true);
    expect(whole.byteLength).toBeGreaterThan(90_000);
  });

  test('of a file that changes between two ranges come from the new one', async () => {
    const etags = ['"one"', '"two"'];
    // A mirror that tells no hash: only its own name of the version joins ranges.
    hub.always('hub', (req, res) => {
      const calls = hub.seen.length;
      sendRanges(req, res, FILE, etags[calls > 4 ? 1 : 0]!);
    });
    await expectWanted((await fetch()).path);
    expect(notes).toEqual([
      expect.stringMatching(/got an answer of 200: starting again/),
      'model.safetensors changed on the hub: starting again',
    ]);
  });
});

describe('tensors are refused', () => {
  test('from a server that sends whole files only', async () => {
    hub.always('cdn', (_, res) => res.writeHead(200, { etag: '"x"' }).end(FILE));
    const error = await failure();
    expect(error).toBeInstanceOf(DownloadError);
    expect(error.message).toMatch(/sends whole files only.*set HF_ENDPOINT/);
  });

  test('of a file that is no safetensors file, or has none of them', async () => {
    hub.files.set(`${REPO}/model.safetensors`, Buffer.from('<html>sign in</html>'.repeat(20)));
    expect(await failure()).toBeInstanceOf(WeightsError);
    const other = Buffer.from(writeSafetensors({ 'decoder.x': tensor(4, 1) }));
    hub.files.set(`${REPO}/model.safetensors`, other);
    expect((await failure()).message).toMatch(/has none of the tensors/);
  });

  test('where the disk has no room', async () => {
    const error = await failure({ freeBytes: async () => 1000 });
    expect(error).toMatchObject({ problem: 'disk' });
  });
});

test('a plan asks once for neighbours, and in the order of the new file', async () => {
  const mixed = {
    ...TENSORS,
    'encoder.half': { dtype: 'F16', shape: [3], bytes: new Uint8Array(6) },
    'encoder.last': tensor(9, 8),
  };
  const file = await openSafetensors(memorySource('mixed', writeSafetensors(mixed)));
  const { runs, header, byteLength } = planPartialFile(file, CHOICE.wants, {});
  const kept = runs.flatMap((run) => run.kept.map(({ begin, end }) => end - begin));
  // The halves come last, behind the wider elements.
  expect(kept).toEqual([2000, 80_000, 120_000, 28, 36, 6]);
  expect(runs).toHaveLength(3);
  expect(byteLength).toBe(header.byteLength + kept.reduce((a, b) => a + b));
  // Whatever is there already, the rest is what is missing.
  for (const done of [0, header.byteLength, header.byteLength + 2001, byteLength - 1, byteLength]) {
    const rest = runs.flatMap((run) => restOf(run, done) ?? []);
    const bytes = rest.flatMap((run) => run.kept).reduce((n, { begin, end }) => n + end - begin, 0);
    expect(bytes).toBe(byteLength - Math.max(done, header.byteLength));
  }
  const [first] = runs;
  const whole = Uint8Array.from({ length: first!.end - first!.begin }, (_, i) => i % 251);
  const inPieces = [0, 1000, 3500].flatMap((from, i, all) =>
    keptOf(first!, whole.subarray(from, all[i + 1]), first!.begin + from),
  );
  expect(Buffer.concat(inPieces)).toEqual(Buffer.concat(keptOf(first!, whole, first!.begin)));
});
