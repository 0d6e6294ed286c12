/** Files of `generate` and `decode`, as they come: run here, not in processes of their own. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode as decodePng } from 'fast-png';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { runDecode } from '../../src/cli/decode.ts';
import { type GenerateOptions, runGenerate } from '../../src/cli/generate.ts';
import type { PhaseProgress } from '../../src/cli/report.ts';
import { defaultModelFolder } from '../../src/node/files.ts';
import { recordedReport } from '../support/report.ts';
import { writeTinyFolder } from '../support/tiny-model.ts';

vi.setConfig({ testTimeout: 120_000 });

let model: string;
let folder: string;
beforeAll(() => {
  model = mkdtempSync(join(tmpdir(), 'llamagen-tiny-'));
  writeTinyFolder(model);
});
afterAll(() => rmSync(model, { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-write-'));
  return () => rmSync(folder, { recursive: true });
});

const at = (...names: string[]): string => join(folder, ...names);
const ENOUGH = new Error('enough');
const never = new AbortController().signal;

const asked = (more: Partial<GenerateOptions>): GenerateOptions => ({
  ...{ model, class: ['0', '1', '2'], count: 1, seed: 5, dtype: 'auto', out: at('all.png') },
  ...more,
});

/** A report that calls `see` with all progress. */
function watched(see: (progress: PhaseProgress) => void) {
  const recorded = recordedReport();
  const progress = recorded.report.progress.bind(recorded.report);
  recorded.report.progress = (now) => {
    see(now);
    progress(now);
  };
  return recorded;
}

const pixels = (png: Uint8Array) => {
  const { width, height, data } = decodePng(png, { checkCrc: true });
  return { width, height, data: Buffer.from(data) };
};

describe('a folder', () => {
  test('has each picture as soon as it is decoded', async () => {
    const there: number[] = [];
    const { report } = watched(({ phase, done }) => {
      if (phase !== 'decode' || done === 0) return;
      there.push(existsSync(at('new')) ? readdirSync(at('new')).length : 0);
    });
    await runGenerate(asked({ outDir: at('new') }), report, never);
    expect(there).toEqual([0, 1, 2]);
    expect(readdirSync(at('new'))).toEqual([
      '0-class-0-5.png',
      '1-class-1-6.png',
      '2-class-2-7.png',
    ]);
  });

  test('keeps what is there when it is stopped, says how many, and their tokens', async () => {
    const stop = new AbortController();
    const { report, stdout, stderr } = watched(({ phase, done }) => {
      if (phase === 'decode' && done === 3) stop.abort(ENOUGH);
    });
    const files = { outDir: at('new'), tokensOut: at('new', 'tokens.json') };
    await expect(runGenerate(asked(files), report, stop.signal)).rejects.toBe(ENOUGH);
    const [first, second, ...more] = readdirSync(at('new'));
    expect([first, second, more]).toEqual(['0-class-0-5.png', '1-class-1-6.png', ['tokens.json']]);
    expect(stderr()).toContain(`2 of 3 images are in ${at('new')}\n`);
    expect(stdout()).not.toContain('wrote');
    const { images } = JSON.parse(readFileSync(at('new', 'tokens.json'), 'utf8'));
    expect(images).toMatchObject([{ seed: 5 }, { seed: 6 }]);
    // The rest can be made later, and is what it would have been.
    writeFileSync(at('two.json'), readFileSync(files.tokensOut));
    const again = recordedReport();
    await runDecode({ model, tokens: at('two.json'), out: at('two.png') }, again.report, never);
    expect(pixels(readFileSync(at('two.png'))).width).toBe(2 * 8 + 2);
  });

  test('says how many are there when a picture cannot be written', async () => {
    const { report, stderr } = watched(({ phase, done }) => {
      // A folder in the place of the last picture.
      if (phase === 'decode' && done === 3) {
        rmSync(at('new', '2-class-2-7.png'), { force: true });
        writeTinyFolder(at('new', '2-class-2-7.png'));
      }
    });
    await expect(runGenerate(asked({ outDir: at('new') }), report, never)).rejects.toThrow(
      /cannot write .*2-class-2-7\.png: it is a folder/,
    );
    expect(stderr()).toContain('2 of 3 images are in');
  });
});

describe('a sheet', () => {
  test('has the pictures of the folder, and is what decode makes of the tokens', async () => {
    const files = { out: at('all.png'), tokensOut: at('all.json') };
    const { report, stdout } = recordedReport();
    await runGenerate(asked({ ...files, class: ['0', '1'] }), report, never);
    expect(stdout()).toContain(`wrote ${files.out}\nwrote ${files.tokensOut}\n`);
    await runGenerate(asked({ outDir: at('each'), class: ['0', '1'] }), report, never);
    const sheet = pixels(readFileSync(files.out));
    expect([sheet.width, sheet.height]).toEqual([18, 8]);
    const each = readdirSync(at('each')).map((name) => pixels(readFileSync(at('each', name))));
    for (const [i, { width, data }] of each.entries()) {
      for (let y = 0; y < 8; y++) {
        const begin = 3 * (y * sheet.width + i * 10);
        const row = sheet.data.subarray(begin, begin + 3 * width);
        expect(row.equals(data.subarray(3 * width * y, 3 * width * (y + 1)))).toBe(true);
      }
    }
    const decode = { model, tokens: files.tokensOut, out: at('decoded.png') };
    await runDecode(decode, report, never);
    expect(pixels(readFileSync(decode.out))).toEqual(sheet);
    // The same to standard output, which has nothing else.
    const streamed = recordedReport();
    await runDecode({ ...decode, out: '-' }, streamed.report, never);
    expect(streamed.bytes().equals(readFileSync(decode.out))).toBe(true);
    expect(streamed.stderr()).toMatch(/wrote standard output\n$/);
  });

  test('and tokens can go to standard output, all lines to standard error', async () => {
    const { report, bytes, stderr } = recordedReport();
    await runGenerate(asked({ tokensOut: '-' }), report, never);
    expect(JSON.parse(bytes().toString()).images).toHaveLength(3);
    for (const line of ['adapter', 'model', 'wrote standard output']) {
      expect(stderr()).toContain(line);
    }
  });

  test('is not there when the run is stopped', async () => {
    const stop = new AbortController();
    const { report } = watched(({ phase, done }) => {
      if (phase === 'decode' && done === 3) stop.abort(ENOUGH);
    });
    const files = { out: at('all.png'), tokensOut: at('all.json') };
    await expect(runGenerate(asked(files), report, stop.signal)).rejects.toBe(ENOUGH);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('too large to be opened is refused before anything is done', async () => {
    const { report, stdout, stderr } = recordedReport();
    const many = asked({ model: defaultModelFolder(), class: ['all'], count: 4096 });
    await expect(runGenerate(many, report, never)).rejects.toThrow(
      /sheet of 131072 images would have \d+ x \d+ pixels.*use --out-dir/,
    );
    expect([stdout(), stderr(), readdirSync(folder)]).toEqual(['', '', []]);
  });
});
