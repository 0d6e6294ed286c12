/** Files of `generate` and `decode`, as their pictures come. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode as decodePng } from 'fast-png';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { runDecode } from '../../src/cli/decode.ts';
import { type GenerateOptions, runGenerate } from '../../src/cli/generate.ts';
import { assertSheetFits, pictureName } from '../../src/cli/pictures.ts';
import { writeAll } from '../../src/cli/write-images.ts';
import type { WritePlan } from '../../src/cli/write-plan.ts';
import type { GeneratedImage, GenerateStats } from '../../src/index.ts';
import { defaultModelFolder } from '../../src/node/files.ts';
import { readPngFacts } from '../../src/node/png-read.ts';
import { imageGrid, type RgbaImage, sheetOf } from '../../src/picture/grid.ts';
import { readMade } from '../../src/picture/made.ts';
import { llamagen } from '../support/llamagen.ts';
import { recordedReport } from '../support/report.ts';
import { writeTinyFolder } from '../support/tiny-model.ts';

vi.setConfig({ testTimeout: 120_000 });

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-write-'));
  return () => rmSync(folder, { recursive: true });
});

const at = (...names: string[]): string => join(folder, ...names);
const never = new AbortController().signal;
const ENOUGH = new Error('enough');
const SIDE = 4;
const NAMES = ['0-a.png', '1-b.png', '2-c.png'];
const STATS: GenerateStats = {
  timings: { compileMs: 1, tokensMs: 2, decodeMs: 3 },
  runs: [],
  passes: [],
  tokensPerPass: 1,
};

const imageOf = (i: number): GeneratedImage => ({
  ...{ width: SIDE, height: SIDE, classIndex: i, seed: 5 + i, tokens: Uint32Array.of(i, i, i, i) },
  rgba: Uint8ClampedArray.from({ length: 4 * SIDE * SIDE }, (_, k) => (k % 4 === 3 ? 255 : k + i)),
});

/** A run of three images, which calls `before` when one is about to be given. */
async function* runOf(before: (image: number) => void) {
  for (let i = 0; i < NAMES.length; i++) {
    before(i);
    yield imageOf(i);
  }
  return STATS;
}

const COMMON = {
  ...{ tokensOut: undefined, look: {}, gridSize: 2 },
  images: NAMES.map((name, i) => ({ class: i, className: name, seed: 5 + i })),
};
const MADE = { model: 'none' };

const folderPlan = (tokensOut?: string): WritePlan => ({
  ...{ ...COMMON, tokensOut, outDir: at('new'), names: NAMES },
});

const sheetPlan = (tokensOut?: string): WritePlan => ({
  ...{ ...COMMON, tokensOut, out: at('all.png') },
  sheet: sheetOf({ count: NAMES.length, width: SIDE, height: SIDE, columns: 2 }),
});

const pixels = (path: string) => {
  const { width, height, data } = decodePng(readFileSync(path), { checkCrc: true });
  return { width, height, data: [...data] };
};

const opaque = ({ rgba }: RgbaImage) => [...rgba].filter((_, i) => i % 4 < 3);

describe('a folder', () => {
  test('has each picture before the next is made, and tokens at the end', async () => {
    const there: number[] = [];
    const run = runOf(() => there.push(existsSync(at('new')) ? readdirSync(at('new')).length : 0));
    const { report, stderr } = recordedReport();
    const plan = folderPlan(at('tokens.json'));
    const written = await writeAll(plan, MADE, run, { report, signal: never });
    expect(there).toEqual([0, 1, 2]);
    expect(readdirSync(at('new'))).toEqual(NAMES);
    for (const [i, name] of NAMES.entries()) {
      expect(pixels(at('new', name)).data).toEqual(opaque(imageOf(i)));
    }
    expect(written.stats).toBe(STATS);
    expect(written.files).toEqual([...NAMES.map((name) => at('new', name)), at('tokens.json')]);
    const { grid, images } = JSON.parse(readFileSync(at('tokens.json'), 'utf8'));
    expect([grid, images[2]]).toEqual([[2, 2], { class: 2, seed: 7, tokens: [2, 2, 2, 2] }]);
    expect(stderr()).toBe('');
  });

  test('keeps what is there when the run is stopped, says so at once, and their tokens', async () => {
    const stop = new AbortController();
    const { report, stderr } = recordedReport();
    const said: string[] = [];
    const run = runOf((i) => {
      if (i < 2) return;
      stop.abort(ENOUGH);
      said.push(stderr());
    });
    const plan = folderPlan(at('new', 'tokens.json'));
    await expect(writeAll(plan, MADE, run, { report, signal: stop.signal })).rejects.toBe(ENOUGH);
    expect(readdirSync(at('new'))).toEqual([...NAMES.slice(0, 2), 'tokens.json']);
    expect(said[0]).toContain(`2 of 3 images are in ${at('new')}\n`);
    expect(stderr()).toBe(said[0]);
    const { images } = JSON.parse(readFileSync(at('new', 'tokens.json'), 'utf8'));
    expect(images).toMatchObject([{ seed: 5 }, { seed: 6 }]);
  });

  test('keeps what is there when the run fails, or a picture cannot be written', async () => {
    const failing = runOf((i) => {
      if (i === 1) throw ENOUGH;
    });
    const { report, stderr } = recordedReport();
    const plan = folderPlan();
    await expect(writeAll(plan, MADE, failing, { report, signal: never })).rejects.toBe(ENOUGH);
    expect(stderr()).toContain('1 of 3 images are in');
    mkdirSync(at('new', '2-c.png'));
    const nothing = runOf(() => {});
    const blocked = writeAll(plan, MADE, nothing, { report, signal: never });
    await expect(blocked).rejects.toThrow(/cannot write .*2-c\.png: it is a folder/);
    expect(stderr()).toContain('2 of 3 images are in');
  });
});

test('a picture in a folder has its label and says how it was made', async () => {
  const plan = {
    ...folderPlan(),
    look: { scale: 3, labels: ['Kiwi', 'Lemon', 'Pear'], columns: 2 },
  };
  const running = { report: recordedReport().report, signal: never };
  await writeAll(
    plan,
    MADE,
    runOf(() => {}),
    running,
  );
  const { width, height, text } = readPngFacts(at('new', '1-b.png'));
  const expected = imageGrid([imageOf(1)], { scale: 3, labels: ['Lemon'] });
  expect([width, height]).toEqual([expected.width, expected.height]);
  expect(pixels(at('new', '1-b.png')).data).toEqual(opaque(expected));
  const image = { class: 1, className: '1-b.png', seed: 6 };
  expect(readMade(text)).toMatchObject({ ...MADE, images: [image], scale: 3 });
});

describe('a sheet', () => {
  test('appears at the end, with all pictures in their places', async () => {
    const run = runOf(() => expect(existsSync(at('all.png'))).toBe(false));
    const written = await writeAll(sheetPlan(), MADE, run, {
      report: recordedReport().report,
      signal: never,
    });
    expect(written.files).toEqual([at('all.png')]);
    expect(readdirSync(folder)).toEqual(['all.png']);
    const { width, height, data } = pixels(at('all.png'));
    expect([width, height]).toEqual([2 * SIDE + 2, 2 * SIDE + 2]);
    for (let y = 0; y < SIDE; y++) {
      const begin = 3 * y * width;
      const second = opaque(imageOf(1)).slice(3 * SIDE * y, 3 * SIDE * (y + 1));
      expect(data.slice(begin + 3 * (SIDE + 2), begin + 3 * width)).toEqual(second);
    }
    expect(data.slice(3 * width * (SIDE + 2), 3 * width * (SIDE + 2) + 12)).toEqual(
      opaque(imageOf(2)).slice(0, 12),
    );
  });

  test('is not there when the run is stopped or fails, even after its last picture', async () => {
    const stop = new AbortController();
    const stopped = runOf((i) => {
      if (i === 2) stop.abort(ENOUGH);
    });
    const { report } = recordedReport();
    const plan = sheetPlan(at('tokens.json'));
    await expect(writeAll(plan, MADE, stopped, { report, signal: stop.signal })).rejects.toBe(
      ENOUGH,
    );
    const failing = runOf((i) => {
      if (i === 2) throw ENOUGH;
    });
    await expect(writeAll(plan, MADE, failing, { report, signal: never })).rejects.toBe(ENOUGH);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ['pixels', { count: 131_072, width: 96, height: 96 }],
    ['pixels on a side', { count: 1000, width: 384, height: 384, columns: 1000 }],
  ])('of too many %s is refused', (_, options) => {
    expect(() => assertSheetFits(sheetOf(options), options.count, 'use --out-dir')).toThrow(
      /--out: the sheet of \d+ images would have \d+ x \d+ pixels.*: use --out-dir/,
    );
  });

  test('of 1,000 images at 384 x 384 is not', () => {
    const sheet = sheetOf({ count: 1000, width: 384, height: 384 });
    expect(() => assertSheetFits(sheet, 1000, '')).not.toThrow();
  });
});

test('files are named so that they sort like images, and by the class', () => {
  const named = (className: string, seed: number) => ({ class: 2, className, seed });
  expect(pictureName(3, 11, named('Grape  Blue/2', 7))).toBe('03-grape-blue-2-7.png');
  expect(pictureName(10, 11, named('橙', 8))).toBe('10-橙-8.png');
  expect(pictureName(0, 1, named('!', 9))).toBe('0-2-9.png');
});

test('files are named by the beginning of a text', () => {
  const named = (prompt: string) => pictureName(0, 1, { prompt, seed: 3 });
  expect(named('A cat, to the left of "pizza"!')).toBe('0-a-cat-to-the-left-of-pizza-3.png');
  expect(named(`${'x'.repeat(59)} ${'y'.repeat(9)}`)).toBe(`0-${'x'.repeat(59)}-3.png`);
  expect(named('../..')).toBe('0-text-3.png');
});

describe('the commands', () => {
  const asked = (more: Partial<GenerateOptions>): GenerateOptions => ({
    ...{ model: at('model'), class: ['0', '1'], count: 1, seed: 5, dtype: 'auto', scale: 1 },
    ...{ out: at('all.png'), ...more },
  });

  test('make the same pictures, in a file, on standard output and in a folder', async () => {
    writeTinyFolder(at('model'));
    const files = { out: at('all.png'), tokensOut: at('all.json') };
    const made = recordedReport();
    const look = { labels: true, scale: 2 };
    await runGenerate(asked({ ...files, ...look, count: 2 }), made.report, never);
    expect(made.stdout()).toContain(`wrote ${files.out}\nwrote ${files.tokensOut}\n`);
    const { report, bytes, stderr } = recordedReport();
    const decode = { model: at('model'), tokens: files.tokensOut, out: '-', ...look };
    await runDecode(decode, report, never);
    expect(stderr()).toMatch(/^adapter .*wrote standard output\n$/ms);
    const png = decodePng(bytes(), { checkCrc: true });
    const sheet = pixels(files.out);
    expect({ ...png, data: [...png.data] }).toMatchObject(sheet);
    // The file says how it was made, and the tokens pass that on.
    expect(bytes().equals(readFileSync(files.out))).toBe(true);
    const said = readMade(readPngFacts(files.out).text);
    expect(said).toMatchObject({ columns: 2, scale: 2, sampling: { greedy: false } });
    expect(said?.images.map(({ seed }) => seed)).toEqual([5, 6, 7, 8]);
    expect(said?.images.map((image) => 'class' in image && image.class)).toEqual([0, 0, 1, 1]);
    // Each alone: the second is the right half of the first row of the sheet, behind the gap.
    const { out: _, ...alone } = { ...decode, outDir: at('each') };
    await runDecode(alone, recordedReport().report, never);
    const names = ['0-class-0-5.png', '1-class-0-6.png', '2-class-1-7.png', '3-class-1-8.png'];
    expect(readdirSync(at('each'))).toEqual(names);
    const second = pixels(at('each', '1-class-0-6.png'));
    expect(second.data.slice(0, 3 * 16)).toEqual(sheet.data.slice(3 * 28, 3 * 44));
    const { text } = readPngFacts(at('each', '1-class-0-6.png'));
    expect(readMade(text)).toMatchObject({
      ...said,
      images: [said?.images[1]],
      columns: undefined,
    });
  });

  test('end with Ctrl-C, and what is in the folder is whole and counted', async () => {
    writeTinyFolder(at('model'));
    const args = ['--model', at('model'), '--class', '0', '--count', '320', '--out-dir', at('new')];
    const { code, stderr } = await llamagen(['generate', ...args], {
      interruptWhen: () => existsSync(at('new')) && readdirSync(at('new')).length > 0,
    });
    expect(code).toBe(130);
    const there = readdirSync(at('new'));
    expect(there.length).toBeLessThan(320);
    expect(stderr).toContain(`${there.length} of 320 images are in ${at('new')}\n`);
    for (const name of there) expect(pixels(at('new', name)).width).toBe(8);
  });

  test('need a place for the pictures', async () => {
    const nowhere = runDecode(
      { model: at('model'), tokens: 't.json', scale: 1 },
      recordedReport().report,
      never,
    );
    await expect(nowhere).rejects.toThrow(/decode needs a file .*--out.*--out-dir/);
  });

  test('refuse a sheet that is too large before anything is done', async () => {
    const { report, stdout, stderr } = recordedReport();
    const many = asked({ model: defaultModelFolder(), class: ['all'], count: 4096 });
    await expect(runGenerate(many, report, never)).rejects.toThrow(/sheet of 131072.*--out-dir/);
    expect([stdout(), stderr(), readdirSync(folder)]).toEqual(['', '', []]);
  });
});
