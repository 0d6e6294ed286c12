/** The page with models that are dropped on it: one of texts, and official checkpoints. */
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goldenFiles } from '../support/golden-model.ts';
import { tinyTextFiles } from '../support/tiny-text-model.ts';
import { hasChromium } from '../web/chromium.ts';
import { faultsOf } from './support/axe.ts';
import { connectBrowser, problemsOf } from './support/browser.ts';
import { droppedCheckpoints } from './support/dropped-checkpoints.ts';
import { button, drop, finished, pixels, ready } from './support/page-kit.ts';
import { servePageSite } from './support/page-site.ts';

/** A folder for screenshots, where somebody wants to look at them. */
const LOOKS = process.env.LLAMAGEN_LOOKS;

describe.skipIf(!hasChromium)('the page, with a model that is dropped on it', () => {
  let site: Awaited<ReturnType<typeof servePageSite>>;
  let browser: Browser;
  let page: Page;
  let problems: string[];
  /** Of the picture of a prompt. */
  let link = '';
  let drawn: number[] = [];
  let png: Uint8Array;

  beforeAll(async () => {
    // A small one in the place of the page's own, which is not the point here.
    const small = { '/a/folder/models/fruits-96/': goldenFiles('c2i_tiny') };
    [site, browser] = await Promise.all([servePageSite(small), connectBrowser()]);
    page = await open();
    problems = problemsOf(page);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function open(hash = ''): Promise<Page> {
    const opened = await browser.newPage();
    await opened.goto(`${site.page}${hash}`);
    await ready(opened);
    return opened;
  }

  const prompt = (on: Page) => on.getByRole('textbox', { name: 'What to draw' });
  const dropModel = (on: Page, files: Readonly<Record<string, Uint8Array>>): Promise<void> =>
    drop(
      on,
      Object.entries(files).map(([name, bytes]) => ({ name, bytes })),
    );

  test('asks for a prompt in the place of a class, and explains an empty one', async () => {
    expect(await page.getByLabel('Class').count()).toBe(1);
    await dropModel(page, tinyTextFiles());
    await prompt(page).waitFor();
    expect(await page.getByLabel('Class').count()).toBe(0);
    for (const empty of ['', '  \n ']) {
      await prompt(page).fill(empty);
      await button(page, 'Draw').click();
      await page.getByText(/Say what to draw/).waitFor();
      expect(await page.locator('.tile canvas').count()).toBe(0);
    }
    expect(await faultsOf(page)).toEqual([]);
    if (LOOKS) await look(page, LOOKS, 'empty');
  });

  test('draws a prompt, and its link and file say it', async () => {
    await prompt(page).fill('two red lemon on a');
    await button(page, 'Draw').click();
    await finished(page);
    await page.getByRole('heading', { name: 'two red lemon on a' }).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    expect(await page.getByText(/Say what to draw/).count()).toBe(0);
    drawn = await pixels(page);
    link = page.url();
    expect(new URLSearchParams(new URL(link).hash.slice(1)).get('prompt')).toBe(
      'two red lemon on a',
    );
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Save PNG' }).click();
    const path = join(tmpdir(), `llamagen-prompt-${process.pid}.png`);
    await (await download).saveAs(path);
    png = readFileSync(path);
    rmSync(path);
    if (LOOKS) await look(page, LOOKS, 'drawn');
  });

  test('a link and a file give the prompt and its picture back, once the model is there', async () => {
    const theirs = await open(new URL(link).hash);
    await theirs.getByText(/the model tiny-texts, which is not here: open its files/).waitFor();
    await dropModel(theirs, tinyTextFiles());
    await finished(theirs);
    expect(await prompt(theirs).inputValue()).toBe('two red lemon on a');
    expect(await pixels(theirs)).toEqual(drawn);
    await prompt(theirs).fill('cat');
    await drop(theirs, [{ name: 'lemon.png', type: 'image/png', bytes: png }]);
    await theirs.getByText('The settings of this picture are back').waitFor();
    expect(await prompt(theirs).inputValue()).toBe('two red lemon on a');
    await theirs.getByRole('button', { name: /^Remove two red/ }).click();
    await expect.poll(() => theirs.getByText(/^1 picture/).count()).toBe(0);
    await button(theirs, 'Draw').click();
    await finished(theirs);
    expect(await pixels(theirs)).toEqual(drawn);
    await theirs.context().close();
  });

  test('explains a file that is no checkpoint in place, and draws on', async () => {
    await dropModel(page, { 'notes.pt': Buffer.from('dear diary') });
    await page
      .getByRole('region', { name: 'Picture' })
      .getByRole('alert')
      .getByText(/notes\.pt/)
      .waitFor();
    expect(await prompt(page).count()).toBe(1);
    expect(await button(page, 'Draw').isEnabled()).toBe(true);
  });

  test('draws with official checkpoints', async () => {
    await dropModel(page, droppedCheckpoints());
    const field = page.getByLabel('Class');
    await field.waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    await field.fill('1');
    await button(page, 'Draw').click();
    await page
      .getByRole('img', { name: /^class 1, seed \d+$/ })
      .first()
      .waitFor();
    await finished(page);
    expect(page.url()).toMatch(/model=ddp_model&class=class\+1&/);
    expect(new Set(await pixels(page)).size).toBeGreaterThan(2);
  });

  test('leaves nothing in the console', () => {
    expect(problems).toEqual([]);
  });
});

/** Pictures of the page on a phone and a desktop. */
async function look(page: Page, folder: string, name: string): Promise<void> {
  const before = page.viewportSize();
  for (const width of [360, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    await page.screenshot({ path: join(folder, `${name}-${width}.png`), fullPage: true });
  }
  if (before) await page.setViewportSize(before);
}
