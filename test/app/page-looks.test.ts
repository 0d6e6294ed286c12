/** How the page looks, on desktop and phone, in light and dark: pictures for people, and what can be checked. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../support/sources.ts';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser } from './support/browser.ts';
import { button, finished, ready } from './support/page-kit.ts';
import { servePageSite } from './support/page-site.ts';

/** Of a picture under docs/images. */
const MOST_BYTES = 200_000;

const LOOKS = [
  ['desktop', 'light', 1280],
  ['desktop', 'dark', 1280],
  ['phone', 'light', 360],
  ['phone', 'dark', 360],
] as const;

/** Those of the pictures that are kept: class and seed. */
const SHELF = [
  ['Kiwi', 2],
  ['Pear Williams', 5],
  ['Lychee', 1],
  ['Pepper Red', 3],
  ['Orange', 4],
] as const;

describe.skipIf(!hasChromium)('the looks of the page', () => {
  let site: Awaited<ReturnType<typeof servePageSite>>;
  let browser: Browser;
  let page: Page;
  // `LLAMAGEN_SCREENSHOTS=1` replaces those that are kept.
  const keeps = process.env.LLAMAGEN_SCREENSHOTS === '1';
  const scratch = mkdtempSync(join(tmpdir(), 'llamagen-looks-'));
  const folder = keeps ? join(ROOT, 'docs', 'images') : scratch;

  beforeAll(async () => {
    [site, browser] = await Promise.all([servePageSite(), connectBrowser()]);
    page = await browser.newPage();
    await page.goto(site.page);
    await ready(page);
    const shelf = keeps ? SHELF : SHELF.slice(-1);
    for (const [name, seed] of shelf) {
      // Another address, so that the page follows it.
      await page.goto(`${site.page}#model=fruits-96&class=${name}&seed=${seed}`);
      await page
        .getByRole('img', { name: `${name}, seed ${seed}`, exact: true })
        .first()
        .waitFor();
      await finished(page);
    }
  }, 400_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
    rmSync(scratch, { recursive: true });
  });

  /** Shows the last picture of the shelf on a screen of its own, which has to draw it. */
  async function openPhone(): Promise<Page> {
    const viewport = { width: 360, height: 780 };
    const phone = await browser.newPage({ viewport, deviceScaleFactor: 2 });
    await phone.goto(page.url());
    return phone;
  }

  test.each(LOOKS)('%s, %s', async (device, colorScheme, width) => {
    const looks = device === 'phone' ? await openPhone() : page;
    if (device === 'desktop') await looks.setViewportSize({ width, height: 900 });
    await looks.emulateMedia({ colorScheme });
    await looks.reload();
    await finished(looks);
    await ready(looks);
    const box = await looks.locator('.tile').boundingBox();
    // Pixels of the picture are squares of whole pixels.
    expect((box?.width ?? 0) % 96).toBe(0);
    expect(box?.width).toBeGreaterThanOrEqual(device === 'phone' ? 288 : 480);
    expect(await looks.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    // What a person came for is in sight at once.
    const draw = await button(looks, 'Draw').boundingBox();
    expect((draw?.y ?? 0) + (draw?.height ?? 0)).toBeLessThanOrEqual(780);
    const file = join(folder, `page-${device}-${colorScheme}.png`);
    await keep(await looks.screenshot({ fullPage: device === 'desktop' }), file);
    expect(statSync(file).size).toBeLessThan(MOST_BYTES);
    if (looks !== page) await looks.context().close();
  });

  test('a picture under way over the one before', async () => {
    await page.setViewportSize({ width: 1280, height: 760 });
    await page.getByRole('radio', { name: 'Strawberry' }).check();
    await button(page, 'Draw').click();
    // Asked in the page: by the time that answers come here, a picture may be done.
    const opacities = await page.waitForFunction(() => {
      const found = ['before', 'now'].map((name) => document.querySelector(`canvas.${name}`));
      return found.every((canvas) => canvas !== null)
        ? found.map((canvas) => getComputedStyle(canvas).opacity)
        : undefined;
    });
    const [before, now] = (await opacities.jsonValue()) ?? [];
    expect(Number(before)).toBeLessThan(0.5);
    expect(Number(now)).toBe(1);
    await keep(await page.screenshot(), join(folder, 'page-drawing.png'));
  });
});

/** Few colours are enough for a picture of a page, and a fifth of the bytes. */
async function keep(screenshot: Buffer, file: string): Promise<void> {
  await sharp(screenshot).png({ palette: true, quality: 80, dither: 0.6, effort: 8 }).toFile(file);
}
