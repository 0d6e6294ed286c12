/** The page, used as a person uses it. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser, problemsOf } from './support/browser.ts';
import { servePageSite } from './support/page-site.ts';

describe.skipIf(!hasChromium)('the page', () => {
  let site: Awaited<ReturnType<typeof servePageSite>>;
  let browser: Browser;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    [site, browser] = await Promise.all([servePageSite(), connectBrowser()]);
    page = await browser.newPage();
    problems = problemsOf(page);
    await page.goto(site.page);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const status = (): Promise<string | null> => page.getByRole('status').textContent();

  test('draws the class that is picked, and says little while it does', async () => {
    await page.getByRole('radio', { name: 'Kiwi' }).check();
    await page.evaluate(() => {
      const said: string[] = Object.assign(globalThis, { said: [] }).said;
      const line = document.querySelector('[role=status]');
      if (!line) throw new Error('the page has no status line');
      new MutationObserver(() => said.push(line.textContent ?? '')).observe(line, {
        ...{ childList: true, characterData: true, subtree: true },
      });
    });
    await button('Draw').click();
    await page.getByRole('img', { name: /^Kiwi, seed \d+$/ }).waitFor();
    expect(await page.evaluate(() => Reflect.get(globalThis, 'said'))).toEqual([
      'Drawing Kiwi',
      'A quarter',
      'Half',
      'Three quarters',
      'Finished: Kiwi',
    ]);
  });

  test('a stop is no error, and leaves the picture before', async () => {
    await button('Draw').click();
    await page.locator('canvas.before').waitFor();
    await button('Stop').click();
    await expect.poll(status).toBe('Stopped');
    expect(await page.getByRole('alert').count()).toBe(0);
    await button('Draw').waitFor();
  });

  test('leaves nothing in the console', () => {
    expect(problems).toEqual([]);
  });
});
