/** The shipped model of texts through the command, as a user runs it in a fresh clone. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { textModelFolder } from '../../src/node/files.ts';
import { readPngFacts } from '../../src/node/png-read.ts';
import { llamagen } from '../support/llamagen.ts';

const PROMPT = 'a cat to the left of a slice of pizza on a blue ground';

describe.skipIf(!existsSync(join(textModelFolder(), 'model.json')))('scenes-96', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'llamagen-scenes-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('draws a prompt without being named, and says first what it knows', async () => {
    const out = join(folder, 'cat.png');
    const env = { LLAMAGEN_CACHE: join(folder, 'cache') };
    const args = ['generate', '--prompt', PROMPT, '--seed', '1', '--json', '--out', out];
    const { code, stdout, stderr } = await llamagen(args, { env });
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^scenes-96 knows \d+ things \(.*"llamagen info scenes-96" lists them/m,
      ),
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      model: 'scenes-96',
      fromCache: 0,
      images: [{ prompt: PROMPT, seed: 1 }],
      files: [out],
    });
    expect(readPngFacts(out)).toMatchObject({ width: 96, height: 96 });
  }, 120_000);
});
