/** The page when something happens beside it: its device is destroyed, another tab changes the gallery. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goldenFiles } from '../support/golden-model.ts';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser, problemsOf } from './support/browser.ts';
import { button, finished, pixels, ready } from './support/page-kit.ts';
import { servePageSite } from './support/page-site.ts';

const LINK = '#model=c2i_tiny&class=class+3&seed=';

describe.skipIf(!hasChromium)('the page, disturbed', () => {
  let site: Awaited<ReturnType<typeof servePageSite>>;
  let browser: Browser;

  beforeAll(async () => {
    // A small one in the place of the page's own, which is not the point here.
    const small = { '/a/folder/models/fruits-96/': goldenFiles('c2i_tiny') };
    [site, browser] = await Promise.all([servePageSite(small), connectBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  const open = async (of: Browser | BrowserContext, hash = ''): Promise<Page> => {
    const page = await of.newPage();
    await page.goto(`${site.page}${hash}`);
    await ready(page);
    return page;
  };
  const shelf = (page: Page) => page.getByRole('region', { name: 'Gallery' }).getByRole('img');

  test('draws the same picture when its device is destroyed meanwhile', async () => {
    const undisturbed = await open(browser, `${LINK}7`);
    await finished(undisturbed);
    const other = await browser.newContext();
    await other.addInitScript(loseDeviceOnce);
    const page = await other.newPage();
    const problems = problemsOf(page);
    await page.goto(`${site.page}${LINK}7`);
    await finished(page);
    // Its worker did open another device, and went on.
    expect(await page.evaluate(() => Reflect.get(globalThis, 'resumed'))).toBe(1);
    expect(await page.getByRole('alert').count()).toBe(0);
    expect(await pixels(page)).toEqual(await pixels(undisturbed));
    expect(problems).toEqual([]);
    await Promise.all([other.close(), undisturbed.context().close()]);
  });

  test('two tabs have one gallery', async () => {
    const tabs = await browser.newContext();
    const [one, two] = await Promise.all([open(tabs), open(tabs)]);
    await one.getByLabel('Class', { exact: true }).fill('class 5');
    await button(one, 'Draw').click();
    await finished(one);
    await expect.poll(() => shelf(two).count()).toBe(1);
    const name = await shelf(one).first().getAttribute('alt');
    expect(name).toMatch(/^class 5, seed \d+$/);
    expect(await shelf(two).first().getAttribute('alt')).toBe(name);
    // The other tab has the picture itself, and takes it away for both.
    await two.getByRole('button', { name: name ?? '', exact: true }).click();
    await finished(two);
    expect(await pixels(two)).toEqual(await pixels(one));
    await two.getByRole('button', { name: `Remove ${name}` }).click();
    await expect.poll(() => shelf(one).count()).toBe(0);
    await tabs.close();
  });
});

/** Runs in the page, before its script: when its worker begins a picture, the device goes. */
function loseDeviceOnce(): void {
  let isLost = false;
  Object.assign(globalThis, { resumed: 0 });
  globalThis.Worker = class extends Worker {
    constructor(script: string | URL, options?: WorkerOptions) {
      super(script, options);
      this.addEventListener('message', ({ data }) => {
        if (data?.told?.type === 'resumed') {
          Object.assign(globalThis, { resumed: Reflect.get(globalThis, 'resumed') + 1 });
        }
        if (data?.told?.type !== 'started' || isLost) return;
        isLost = true;
        // No call of the page has this number.
        this.postMessage({ id: -1, name: 'loseDevice', given: undefined });
      });
    }
  };
}
