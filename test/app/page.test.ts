/** The page, used as a person uses it. */
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generate, loadModel } from '../../src/index.ts';
import { openDevice } from '../../src/node/device.ts';
import { defaultModelFolder, openFolder } from '../../src/node/files.ts';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser, problemsOf } from './support/browser.ts';
import {
  button,
  drawClass,
  drop,
  finished,
  hearStatus,
  pixels,
  ready,
} from './support/page-kit.ts';
import { servePageSite } from './support/page-site.ts';

describe.skipIf(!hasChromium)('the page', () => {
  let site: Awaited<ReturnType<typeof servePageSite>>;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let problems: string[];
  /** Of the first picture: a link to it, its pixels and its file. */
  let link = '';
  let drawn: number[] = [];
  let png: Uint8Array;

  beforeAll(async () => {
    [site, browser] = await Promise.all([servePageSite(), connectBrowser()]);
    context = await browser.newContext();
    page = await context.newPage();
    problems = problemsOf(page);
    await page.goto(site.page);
    await ready(page);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  const status = (): Promise<string | null> => page.getByRole('status').textContent();

  test('draws the class that is picked, and says little while it does', async () => {
    const heard = await hearStatus(page);
    await drawClass(page, 'Kiwi');
    await page
      .getByRole('img', { name: /^Kiwi, seed \d+$/ })
      .first()
      .waitFor();
    expect(await heard()).toEqual([
      ...['Drawing Kiwi', 'A quarter', 'Half', 'Three quarters', 'Finished: Kiwi'],
    ]);
    drawn = await pixels(page);
    link = page.url();
  });

  test('draws what Node does', async () => {
    const seed = Number(new URLSearchParams(new URL(link).hash.slice(1)).get('seed'));
    const { device, close } = await openDevice({ adapter: 'swiftshader' });
    const model = await loadModel(device, openFolder(defaultModelFolder()));
    const { images } = await generate(model, { classes: [14], seed });
    close();
    const rgba = [...images[0]!.rgba];
    const far = drawn.filter((value, i) => Math.abs(value - rgba[i]!) > 1);
    expect([drawn.length, far]).toEqual([rgba.length, []]);
  });

  test('says how many tokens a pass there are, where windows pay', async () => {
    // They do not on this machine; a device that they pay on would ask for this by itself.
    const theirs = await browser.newPage();
    await theirs.addInitScript(() => {
      const post = Worker.prototype.postMessage;
      Worker.prototype.postMessage = function (message, options: object) {
        const { name, given } = message;
        const sent = name === 'draw' ? { ...message, given: { ...given, window: 8 } } : message;
        post.call(this, sent, options as StructuredSerializeOptions);
      };
    });
    await theirs.goto(link);
    await theirs.getByText(/^\d+ of 144 tokens, .*, [2-8]\.\d tokens a pass$/).waitFor();
    await finished(theirs);
    await theirs.getByText(/tokens\/s · [2-8]\.\d tokens a pass$/).waitFor();
    // The picture is the same.
    expect(await pixels(theirs)).toEqual(drawn);
    await theirs.close();
  });

  test('a stop is no error, and leaves the picture before', async () => {
    await button(page, 'Draw').click();
    await page.locator('canvas.before').waitFor();
    await button(page, 'Stop').click();
    await expect.poll(status).toBe('Stopped');
    expect(await page.getByRole('alert').count()).toBe(0);
    await button(page, 'Draw').waitFor();
  });

  test('a picture can be saved, and removed from the gallery and put back', async () => {
    const shelf = page.getByRole('region', { name: 'Gallery' });
    await shelf.getByRole('button', { name: /^Kiwi, seed/ }).click();
    await finished(page);
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Save PNG' }).click();
    const file = await download;
    expect(file.suggestedFilename()).toMatch(/^kiwi-\d+\.png$/);
    const path = join(tmpdir(), `llamagen-${process.pid}.png`);
    await file.saveAs(path);
    png = readFileSync(path);
    rmSync(path);
    await shelf.getByRole('button', { name: /^Remove Kiwi/ }).click();
    await expect.poll(() => shelf.getByRole('img').count()).toBe(0);
    await button(page, 'Put Kiwi back').click();
    await expect.poll(() => shelf.getByRole('img').count()).toBe(1);
  });

  test('the gallery and the picture survive a reload', async () => {
    await page.goto(link);
    await page.reload();
    await finished(page);
    expect(await pixels(page)).toEqual(drawn);
    expect(await page.getByRole('region', { name: 'Gallery' }).getByRole('img').count()).toBe(1);
    await ready(page);
    expect(await page.getByRole('radio', { name: 'Kiwi' }).isChecked()).toBe(true);
  });

  test('several are drawn side by side, from a seed on', async () => {
    const seed = 5;
    await page.getByText('Settings', { exact: true }).click();
    await page.getByLabel('Seed', { exact: true }).fill(`${seed}`);
    await page.getByRole('radio', { name: '2', exact: true }).check();
    await drawClass(page, 'Lemon');
    const names = await page
      .locator('.tile canvas.now')
      .evaluateAll((all) => all.map((canvas) => canvas.ariaLabel));
    expect(names).toEqual(['Lemon, seed 5', 'Lemon, seed 6']);
    await page.getByRole('button', { name: 'Lemon, seed 6' }).first().click();
    await page.getByText('seed 6 ·').waitFor();
    await button(page, 'Another each time').click();
    await page.getByRole('radio', { name: '1', exact: true }).check();
  });

  test('a link gives the same picture to another person', async () => {
    const other = await browser.newContext();
    const theirs = await other.newPage();
    await theirs.goto(link);
    await finished(theirs);
    expect(await pixels(theirs)).toEqual(drawn);
    expect(await theirs.getByText('may differ').count()).toBe(0);
    // The file gives back its settings too, here where there is another picture already.
    await theirs.getByRole('radio', { name: 'Orange' }).check();
    await theirs.evaluate(() => history.replaceState(null, '', '#'));
    await drop(theirs, [{ name: 'kiwi.png', type: 'image/png', bytes: png }]);
    await theirs.getByText('The settings of this picture are back').waitFor();
    await drawClass(theirs, 'Kiwi');
    expect(theirs.url()).toBe(link);
    expect(await pixels(theirs)).toEqual(drawn);
    await other.close();
  });

  test('a link of another device says so', async () => {
    await page.goto(link.replace(/fingerprint=\w+/, 'fingerprint=0123456789abcdef'));
    await page.getByText(/another kind of device \(0123456789abcdef/).waitFor();
    await button(page, 'Stop').click();
  });

  test('what is being drawn gives way to a picture that is dropped, and to a link', async () => {
    const shelf = page.getByRole('region', { name: 'Gallery' }).getByRole('img');
    const before = await shelf.count();
    const begin = async (): Promise<void> => {
      await page.getByRole('radio', { name: 'Orange' }).check();
      await button(page, 'Draw').click();
      await page.getByRole('img', { name: /^Orange, .*unfinished/ }).waitFor();
    };
    await begin();
    await drop(page, [{ name: 'kiwi.png', type: 'image/png', bytes: png }]);
    await page.getByText('The settings of this picture are back').waitFor();
    await finished(page);
    expect(await pixels(page)).toEqual(drawn);
    await button(page, 'Another each time').click();
    await begin();
    await page.goto(`${site.page}#model=fruits-96&class=Lychee&seed=3`);
    await page.getByRole('img', { name: 'Lychee, seed 3' }).first().waitFor();
    await finished(page);
    expect(await shelf.count()).toBe(before + 1);
    expect(await shelf.first().getAttribute('alt')).toBe('Lychee, seed 3');
  });

  test.each([
    ['a broken link', 'model=fruits-96&class=Kiwi&seed=-1', /broken and were left out: seed=-1/],
    ['an unknown class', 'model=fruits-96&class=Durian&seed=1', /has no class "Durian"/],
    ['a model that is not here', 'model=mine&class=1&seed=1', /the model mine, which is not here/],
    ['a model of the hub', 'model=x&hub=someone/x&class=1&seed=1', /drawn by the model someone\/x/],
  ])('explains %s', async (_, hash, text) => {
    await page.goto(`${site.page}#${hash}`);
    await page.getByText(text).waitFor();
    expect(await button(page, 'Draw').isEnabled()).toBe(true);
  });

  test('explains a file that it cannot use, and goes on', async () => {
    await drop(page, [{ name: 'notes.txt', bytes: Buffer.from('hello') }]);
    await page.getByText(/notes\.txt is no picture, and no model/).waitFor();
    await drop(page, [{ name: 'cut.png', type: 'image/png', bytes: png.subarray(0, 5000) }]);
    await page.getByText(/cut\.png: is cut off/i).waitFor();
    await drop(page, [{ name: 'gpt.safetensors', bytes: Buffer.from('no weights at all') }]);
    await page.getByText('The model did not load').waitFor();
    expect(await button(page, 'Draw').isEnabled()).toBe(true);
  });

  test('a picture of one’s own is completed', async () => {
    const heard = await hearStatus(page);
    await page.goto(`${site.page}#`);
    await drop(page, [{ name: 'photo.png', type: 'image/png', bytes: withoutText(png) }]);
    await page.getByText('Keep 6 of 12 rows').waitFor();
    await page.getByRole('slider').fill('4');
    await drawClass(page, 'Strawberry');
    expect(await heard()).toContain('Finished: Strawberry');
    await page.getByText('48 tokens given').waitFor();
    const [kept, anew] = halves(await pixels(page), drawn);
    expect(kept).toBeLessThan(12);
    expect(anew).toBeGreaterThan(kept);
    expect(page.url()).toContain('given=');
  });

  test('a picture that several begin with is sent once', async () => {
    await page.evaluate(() => {
      const sent: boolean[] = [];
      Object.assign(globalThis, { sent });
      const post = Worker.prototype.postMessage;
      Worker.prototype.postMessage = function (message, options: object) {
        if (message.name === 'draw') sent.push(message.given.from !== undefined);
        post.call(this, message, options as StructuredSerializeOptions);
      };
    });
    await page.getByRole('radio', { name: '2', exact: true }).check();
    await drawClass(page, 'Lemon');
    expect(await page.evaluate(() => Reflect.get(globalThis, 'sent'))).toEqual([true, false]);
    const shown = page.locator('button.tile');
    expect(await shown.count()).toBe(2);
    for (const at of [0, 1]) {
      await shown.nth(at).click();
      await page.getByText('48 tokens given').waitFor();
      const [kept] = halves(await pixels(page, at), drawn);
      expect(kept).toBeLessThan(12);
    }
  });

  test('leaves nothing in the console', () => {
    expect(problems).toEqual([]);
  });
});

/** The same pixels, and nothing that says how they were made. */
function withoutText(png: Uint8Array): Uint8Array {
  const bytes = Buffer.from(png);
  const chunks: Buffer[] = [bytes.subarray(0, 8)];
  for (let at = 8; at < bytes.length; ) {
    const end = at + 12 + bytes.readUInt32BE(at);
    if (!/^[it]TXt|tEXt/.test(bytes.toString('latin1', at + 4, at + 8))) {
      chunks.push(bytes.subarray(at, end));
    }
    at = end;
  }
  return Buffer.concat(chunks);
}

/** Mean difference of two pictures in the upper third, which was kept, and in the lower half. */
function halves(a: readonly number[], b: readonly number[]): [number, number] {
  const mean = (from: number, to: number): number => {
    let sum = 0;
    for (let i = from; i < to; i++) sum += Math.abs(a[i]! - b[i]!);
    return sum / (to - from);
  };
  return [mean(0, Math.floor(a.length / 3)), mean(a.length / 2, a.length)];
}
