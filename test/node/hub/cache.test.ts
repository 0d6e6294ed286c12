/** What is in the cache: offline, broken, on a full disk. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileFacts } from '../../../src/node/hub/download.ts';
import {
  blobs,
  CONTENT,
  cache,
  download,
  failure,
  HASH,
  hub,
  OTHER,
  options,
  part,
  REPO,
  useHub,
} from './fixture.ts';

useHub();

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
