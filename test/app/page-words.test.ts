/** The page with the model of prompts that ships with it. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateFromPrompts, loadModel, loadTextModel } from '../../src/index.ts';
import { openDevice } from '../../src/node/device.ts';
import { openFolder, textModelFolder } from '../../src/node/files.ts';
import { hasChromium } from '../web/chromium.ts';
import { faultsOf } from './support/axe.ts';
import { connectBrowser, problemsOf } from './support/browser.ts';
import { button, finished, pixels, ready } from './support/page-kit.ts';
import { servePageSite } from './support/page-site.ts';

const PROMPT = 'a cat to the left of a slice of pizza on a blue ground';

describe.skipIf(!hasChromium)('the page, asked in words', () => {
  let site: Awaited<ReturnType<typeof servePageSite>>;
  let browser: Browser;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    [site, browser] = await Promise.all([servePageSite(), connectBrowser()]);
    page = await browser.newPage();
    problems = problemsOf(page);
    await page.goto(site.page);
    await ready(page);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('fetches the model of prompts once it is told what that takes', async () => {
    await button(page, 'Say it in words instead').click();
    await page.getByText(/^scenes-96: texts, 96 × 96 pixels, 2\d\.\d MB to fetch/).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('button', { name: /^Fetch 2\d\.\d MB$/ }).click();
    await page.getByRole('textbox', { name: 'What to draw' }).waitFor({ timeout: 60_000 });
    expect(await page.getByRole('radio', { name: 'Kiwi' }).count()).toBe(0);
  });

  test('takes any guidance in its bounds, and refuses others', async () => {
    await page.getByText('Settings', { exact: true }).click();
    const field = page.getByRole('spinbutton', { name: 'Guidance' });
    const own = await field.inputValue();
    const taken: boolean[] = [];
    for (const value of ['1.237', '2.5', '21', own]) {
      await field.fill(value);
      taken.push(await field.evaluate((input: HTMLInputElement) => input.validity.valid));
    }
    expect(taken).toEqual([true, true, false, true]);
  });

  test('draws what Node does', async () => {
    await page.getByRole('textbox', { name: 'What to draw' }).fill(PROMPT);
    await button(page, 'Draw').click();
    await finished(page);
    expect(await faultsOf(page)).toEqual([]);
    const drawn = await pixels(page);
    const seed = Number(new URLSearchParams(new URL(page.url()).hash.slice(1)).get('seed'));
    const { device, close } = await openDevice({ adapter: 'swiftshader' });
    const files = openFolder(textModelFolder());
    const text = await loadTextModel(device, files);
    const model = await loadModel(device, files);
    const { images } = await generateFromPrompts(model, text, [PROMPT], { seed });
    close();
    const rgba = [...images[0]!.rgba];
    const far = drawn.filter((value, i) => Math.abs(value - rgba[i]!) > 1);
    expect([drawn.length, far]).toEqual([rgba.length, []]);
  });

  test('a link to its picture offers it to others, and goes back to the fruits', async () => {
    const theirs = await browser.newPage();
    await theirs.goto(page.url());
    await theirs.getByText('This picture was drawn by the model scenes-96.').waitFor();
    await theirs.context().close();
    await button(page, 'Choose from fruits instead').click();
    await page.getByRole('radio', { name: 'Kiwi' }).waitFor({ timeout: 60_000 });
  });

  test('leaves nothing in the console', () => {
    expect(problems).toEqual([]);
  });
});
