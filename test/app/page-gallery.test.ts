/** The gallery of the page where the browser keeps it badly. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goldenFiles } from '../support/golden-model.ts';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser, problemsOf } from './support/browser.ts';
import { button, finished, pixels, ready } from './support/page-kit.ts';
import { servePageSite } from './support/page-site.ts';

const LINK = '#model=c2i_tiny&class=class+3&seed=';

describe.skipIf(!hasChromium)('the gallery', () => {
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

  const shelf = (page: Page) => page.getByRole('region', { name: 'Gallery' }).getByRole('img');

  /** A page that has drawn some pictures of these seeds. */
  async function openDrawn(...seeds: readonly number[]): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(site.page);
    await ready(page);
    for (const seed of seeds) {
      await page.goto(`${site.page}${LINK}${seed}`);
      await page
        .getByRole('img', { name: `class 3, seed ${seed}`, exact: true })
        .first()
        .waitFor();
      await finished(page);
    }
    return page;
  }

  test('one broken entry costs one picture', async () => {
    const page = await openDrawn(1, 2);
    await page.evaluate(spoil, false);
    const problems = problemsOf(page);
    await page.goto(`${site.page}${LINK}3`);
    await page.reload();
    await finished(page);
    await page.getByRole('img', { name: 'class 3, seed 3' }).first().waitFor();
    await expect.poll(() => shelf(page).count()).toBe(2);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('one entry that the browser cannot read costs one picture', async () => {
    const page = await openDrawn(1, 2);
    // As Chromium does where a file of its own is gone.
    await page.addInitScript(() => {
      const read = IDBObjectStore.prototype.get;
      IDBObjectStore.prototype.getAll = () => {
        throw new DOMException('Failed to read large IndexedDB value', 'DataError');
      };
      IDBObjectStore.prototype.get = function (key) {
        if (key === 1) throw new DOMException('Failed to read large IndexedDB value', 'DataError');
        return read.call(this, key);
      };
    });
    await page.goto(`${site.page}${LINK}2`);
    await page.reload();
    await finished(page);
    await expect.poll(() => shelf(page).count()).toBe(1);
    expect(await page.getByRole('alert').count()).toBe(0);
    await page.context().close();
  });

  test('a file that is damaged is explained, and everything else goes on', async () => {
    const page = await openDrawn(1);
    await page.evaluate(spoil, true);
    const problems = problemsOf(page);
    await page.reload();
    await page.getByRole('alert').getByText('This picture cannot be read').waitFor();
    await ready(page);
    await shelf(page).first().click();
    // Drawn anew, and in its place.
    await button(page, 'Remove class 3, seed 1').click();
    await page.goto(`${site.page}#`);
    await page.goto(`${site.page}${LINK}1`);
    await finished(page);
    expect((await pixels(page)).length).toBe(4 * 8 ** 2);
    await expect.poll(() => page.getByRole('alert').count()).toBe(0);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('is opened again where the browser closed it', async () => {
    const page = await openDrawn(1);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Storage.clearDataForOrigin', { origin: site.url, storageTypes: 'indexeddb' });
    await page.goto(`${site.page}${LINK}2`);
    await page.getByRole('img', { name: 'class 3, seed 2' }).first().waitFor();
    await finished(page);
    expect(await page.getByRole('alert').count()).toBe(0);
    await page.goto(site.page);
    await page.reload();
    await expect.poll(() => shelf(page).count()).toBe(1);
    await page.context().close();
  });
});

/** Runs in the page: in the place of the first picture that is kept there is no picture, in a file or in none. */
async function spoil(isFile: boolean): Promise<void> {
  const done = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const db = await done(indexedDB.open('llamagen-gallery'));
  const store = db.transaction('pictures', 'readwrite').objectStore('pictures');
  await done(
    store.put({
      ...(await done(store.get(1))),
      png: isFile ? new Blob(['no picture']) : 'no picture',
    }),
  );
  db.close();
}
