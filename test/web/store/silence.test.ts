/** Servers that begin to answer and then say nothing: short files are bounded too. */
import { expect, test } from 'vitest';
import { TransientError } from '../../../src/hub/transient.ts';
import { readAll, readJson } from '../../../src/web/store/remote.ts';
import { folderRefusal, type Web } from '../../../src/web/store/requests.ts';
import { listen } from '../../support/hub.ts';

const web = (silenceMs: number): Web => ({
  ...{ silenceMs, headers: {}, refusal: folderRefusal, contacted: false },
});

test('a body that stops is given up, and one that only takes its time is not', async () => {
  const { origin, close } = await listen(async (req, res) => {
    res.writeHead(200, { 'content-type': 'application/json' });
    res.write('{"a":');
    if (req.url === '/silent') return;
    for (const piece of [' ', ' ', ' ', ' ', '1}']) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      res.write(piece);
    }
    res.end();
  });
  try {
    const silent = { file: 'model.json', url: `${origin}/silent`, bytes: 10, sameNames: true };
    const reads = await Promise.allSettled([
      readAll(web(150), silent),
      readJson(web(150), silent.url),
    ]);
    for (const read of reads) {
      const reason = read.status === 'rejected' ? read.reason : undefined;
      expect(reason).toBeInstanceOf(TransientError);
      expect(reason.message).toMatch(/nothing came for 0\.15 s/);
    }
    expect(await readJson(web(400), `${origin}/slow`)).toEqual({ a: 1 });
  } finally {
    await close();
  }
});
