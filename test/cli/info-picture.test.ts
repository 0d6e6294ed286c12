/** What pictures say about how they were made, and `llamagen info FILE.png`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareHere } from '../../src/cli/fingerprint-here.ts';
import { runInfoPicture } from '../../src/cli/info-picture.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { encodePng } from '../../src/node/png.ts';
import { type Made, pictureText, readMade } from '../../src/picture/made.ts';
import type { PngText } from '../../src/picture/png-format.ts';
import { VERSION } from '../../src/version.ts';
import { recordedReport } from '../support/report.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-info-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const sampling = {
  cfgScale: 2,
  cfgInterval: -1,
  temperature: 1,
  topK: 0,
  topP: 0.9,
  greedy: false,
};
const lemon = { class: 16, className: 'Lemon', seed: 7 };
const single: Made = { model: 'fruits-96', images: [lemon], sampling, dtype: 'f32', adapter: 'A' };
const sheet: Made = {
  ...single,
  images: [lemon, { class: 14, className: 'Kiwi', seed: 8 }],
  columns: 2,
  scale: 2,
};

/** Runs the command on a picture with these texts. */
async function info(text: PngText, json = false) {
  const file = join(folder, 'picture.png');
  const picture = { width: 3, height: 2, rgba: new Uint8ClampedArray(24).fill(255) };
  writeFileSync(file, encodePng(picture, { text }));
  const { report, stdout, stderr } = recordedReport(json);
  await runInfoPicture({ file }, report);
  return { file, stdout: stdout(), stderr: stderr() };
}

test('a picture of a text says the text', async () => {
  const prompt = 'a cat to the left of a lemon';
  const encoder = '0123456789abcdef';
  const made: Made = { model: 'scenes-96', images: [{ prompt, seed: 3 }], sampling, encoder };
  expect(pictureText(made)).toMatchObject({
    Title: prompt,
    Description: expect.stringMatching(/^a cat to the left of a lemon, seed 3, made by/),
  });
  const { stdout } = await info(pictureText(made));
  expect(stdout).toContain(`prompts  by the encoder ${encoder}\n`);
  expect(stdout).toContain(`image 0  ${prompt}, seed 3`);
  const several = { ...made, images: [...made.images, { prompt: '', seed: 4 }], columns: 2 };
  expect(readMade(new Map(Object.entries(pictureText(several))))?.images).toEqual(several.images);
  expect((await info(pictureText(several))).stdout).toContain(
    'image 1  features of a text, seed 4',
  );
});

test('texts are for viewers and for programs', () => {
  expect(pictureText(single)).toEqual({
    Title: 'Lemon',
    Description:
      'Lemon (class 16), seed 7, made by the model fruits-96, cfg-scale 2, cfg-interval -1, temperature 1, top-k 0, top-p 0.9',
    Software: `llamagen-webgpu ${VERSION}`,
    llamagen: JSON.stringify({
      version: VERSION,
      model: 'fruits-96',
      ...lemon,
      ...sampling,
      dtype: 'f32',
      adapter: 'A',
    }),
  });
  expect(pictureText(sheet)).toMatchObject({
    Title: 'Lemon, Kiwi',
    Description: expect.stringMatching(/^2 images, from seed 7 on, made by the model fruits-96/),
  });
  const odd = { class: 3, className: 'a\0b\nc', seed: 1 };
  const texts = pictureText({ ...sheet, images: [odd, { ...odd, className: '' }] });
  expect(texts.Title).toBe('a b c, class 3');
  expect(texts.Description).toMatch(/^2 images, made by/);
  expect(JSON.parse(texts.llamagen ?? '').images[0]).toEqual(odd);
  const many = Array.from({ length: 9 }, (_, i) => ({ ...lemon, className: `fruit ${i}` }));
  expect(pictureText({ ...sheet, images: many }).Title).toMatch(/^fruit 0, .*fruit 7, \.\.\.$/);
});

test('are read back, and whatever else stands there is left out', () => {
  const back = (made: Made) => readMade(new Map(Object.entries(pictureText(made))));
  expect(back(single)).toEqual({
    ...single,
    version: VERSION,
    columns: undefined,
    scale: undefined,
  });
  expect(back(sheet)).toEqual({ ...sheet, version: VERSION });
  const bare: Made = { model: 'm', images: [lemon] };
  expect(back(bare)).toMatchObject({ ...bare, dtype: undefined });
  expect(back(bare)).not.toHaveProperty('sampling');
  const read = (text: string) => readMade(new Map([['llamagen', text]]));
  for (const text of ['', '{', 'null', '[]', '7', '{"model":7}', '['.repeat(1e5)]) {
    expect(read(text), text.slice(0, 10)).toBeUndefined();
  }
  const odd =
    '{"model":"m","images":[7,null,{"class":"x"},{"class":1,"seed":2}],"topK":"x","greedy":1}';
  expect(read(odd)).toMatchObject({ images: [{ class: 1, className: '', seed: 2 }] });
  expect(read(odd)).not.toHaveProperty('sampling');
});

describe('llamagen info FILE.png', () => {
  test('prints how one picture was made', async () => {
    const { file, stdout } = await info(pictureText({ ...single, scale: 1 }));
    expect(stdout.split('\n')).toEqual([
      `picture  ${file}, 3 x 2 pixels`,
      `made by  llamagen-webgpu ${VERSION}`,
      'model    fruits-96 (f32)',
      'adapter  A',
      'sampling cfg-scale 2, cfg-interval -1, temperature 1, top-k 0, top-p 0.9',
      'image 0  Lemon (class 16), seed 7',
      '',
    ]);
  });

  test('lists the pictures of a sheet, as many as can be read', async () => {
    const { stdout } = await info(pictureText(sheet));
    expect(stdout).toMatch(/scale {4}2\nsheet {4}2 images, 2 columns\nimage 0 .*\nimage 1 {2}Kiwi/);
    const images = Array<typeof lemon>(200).fill(lemon);
    const long = (await info(pictureText({ ...sheet, images }))).stdout;
    expect(long).toMatch(/image 49 .*\n +and 150 more, which --json lists\n$/);
  });

  test('shows the fingerprint, and whether it is that of this machine', async () => {
    const fingerprint = { text: '0.1.0; m 1; A; exact; serial', digest: '0123456789abcdef' };
    const file = join(folder, 'print.png');
    const picture = { width: 1, height: 1, rgba: new Uint8ClampedArray(4) };
    writeFileSync(file, encodePng(picture, { text: pictureText({ ...single, fingerprint }) }));
    const { report, stdout } = recordedReport(true);
    await runInfoPicture({ file }, report, undefined, async (theirs, model) => {
      expect([theirs, model]).toEqual([fingerprint, 'fruits-96']);
      return { same: false, says: 'another on this machine (adapter)' };
    });
    expect(JSON.parse(stdout())).toMatchObject({ made: { fingerprint }, same: false });
    const lines = recordedReport(false);
    await runInfoPicture({ file }, lines.report, undefined, async () => {
      return { same: true, says: 'the same on this machine' };
    });
    expect(lines.stdout()).toMatch(
      /fingerprint 0123456789abcdef: 0\.1\.0; m 1; .*\n +the same on this machine\n$/,
    );
  });

  test('compares with what would run here', async () => {
    const none = { text: '', digest: '' };
    const unknown = await compareHere(none, 'no such model');
    expect(unknown.same).toBeUndefined();
    expect(unknown.says).toBe(
      'cannot be compared here: no model "no such model" is on this machine',
    );
    const other = await compareHere(none, 'fruits-96');
    expect(other.same).toBe(false);
    const [, text = ''] = /it is (.*)$/.exec(other.says) ?? [];
    expect(await compareHere({ ...none, text }, 'fruits-96')).toMatchObject({ same: true });
    const elsewhere = text.replace(/^[^;]*/, '9.9').replace(/f32 cache/, 'f16 cache');
    expect((await compareHere({ ...none, text: elsewhere }, 'fruits-96')).says).toMatch(
      /^cannot be compared here: "kvDtype" f16 contradicts|^another on this machine \(version/,
    );
  });

  test('is one JSON object', async () => {
    const text = pictureText(sheet);
    const { file, stdout } = await info(text, true);
    const { version, ...made } = JSON.parse(stdout).made;
    expect(made).toEqual(sheet);
    expect(version).toBe(VERSION);
    expect(JSON.parse(stdout)).toMatchObject({ file, width: 3, height: 2, text });
  });

  test('says when a picture does not tell, and shows the texts of others', async () => {
    const { stdout } = await info({ Comment: 'by hand\u001b[31m\u009b31m red\nline' });
    expect(stdout).toMatch(/made by {2}not said/);
    expect(stdout).toMatch(/text {5}Comment: by hand \[31m 31m red line\n/);
    expect(JSON.parse((await info({}, true)).stdout)).toMatchObject({ made: null, text: {} });
  });

  test('does not let a file steer the terminal', async () => {
    const evil = '\u001b]0;title\u0007\u202e';
    const image = { ...lemon, className: evil };
    const text = pictureText({ ...single, model: evil, adapter: evil, images: [image] });
    const { stdout } = await info(text);
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
    expect(stdout).toContain(']0;title');
  });
});

describe('on the command line', () => {
  const run = async (...args: string[]) => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const streams = { stdout, stderr: stderr as unknown as NodeJS.WriteStream };
    const stop = { signal: new AbortController().signal, stopped: undefined };
    const code = await runCommandLine(args, stop, streams);
    return { code, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
  };

  test('info takes a picture', async () => {
    const { file } = await info(pictureText(single));
    const { code, stdout, stderr } = await run('info', file);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/image 0 {2}Lemon \(class 16\), seed 7/);
  });

  test.each<[string, () => string, string]>([
    ['a wrong name', () => 'friuts-96', 'did you mean fruits-96?'],
    ['an official name', () => 'c2i-XXL-384', 'run "llamagen pull c2i-XXL-384" first'],
    ['a folder without a model', () => folder, 'has no model.json'],
    ['a picture that is not there', () => join(folder, 'none.PNG'), 'none.PNG: cannot be read: no'],
  ])('info says of %s what to do', async (_, what, message) => {
    const { code, stdout, stderr } = await run('info', what());
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)]);
  });

  test('info refuses what is none', async () => {
    const file = join(folder, 'note.png');
    writeFileSync(file, 'a note');
    const { code, stdout, stderr } = await run('info', file, '--json');
    expect([code, stderr]).toEqual([2, `llamagen: ${file}: is no PNG file\n`]);
    expect(JSON.parse(stdout).error).toMatchObject({ type: 'OptionError', exitCode: 2 });
    expect((await run('info', '')).code).toBe(2);
    expect((await run('info', file, file)).code).toBe(2);
  });

  test.each([
    ['generate', ['--class', 'Lemon', '--scale', '8.5']],
    ['decode', ['--tokens', 'a.json', '--out', 'a.png', '--scale', '0.5']],
  ])('%s refuses a scale that is out of range', async (command, args) => {
    const { code, stderr } = await run(command, ...args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/--scale.*number from 1 to 8/)]);
  });
});
