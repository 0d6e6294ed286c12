/** The page before its model is there. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pictureText } from '../../src/picture/made.ts';
import { encodePng } from '../../src/web/png.ts';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser } from './support/browser.ts';
import { button, drop, finished, ready } from './support/page-kit.ts';
import { servePageSite } from './support/page-site.ts';

/** Its number among the classes of the page's model. */
const MODEL_KIWI = 14;
/** Of a visit, on loopback. */
const MOST_MS = 1000;

describe.skipIf(!hasChromium)('a visit', () => {
  let site: Awaited<ReturnType<typeof servePageSite>>;
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    [site, browser] = await Promise.all([servePageSite(), connectBrowser()]);
    context = await browser.newContext();
    await context.addInitScript(useEarly);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** Milliseconds from the navigation until a class was chosen and Draw pressed, and whether there was a model. */
  const used = (page: Page): Promise<{ readonly at: number; readonly hasModel: boolean }> =>
    page
      .waitForFunction(() => Reflect.get(globalThis, 'used'))
      .then((handle) => handle.jsonValue());

  // The model of the second is stored by the first.
  test.each(['first', 'second'])('can be used within a second: the %s', async () => {
    const page = await context.newPage();
    await page.goto(site.page);
    const { at, hasModel } = await used(page);
    expect(at).toBeLessThan(MOST_MS);
    if (!hasModel) await page.getByText('Drawing begins once the model is there').first().waitFor();
    await finished(page);
    await page.getByRole('heading', { name: 'Walnut' }).waitFor();
    await page.close();
  });

  /** A visit whose model comes when it is told to. */
  const openHeld = async (): Promise<{ readonly page: Page; go(): void }> => {
    const page = await browser.newPage();
    let go = (): void => {};
    const held = new Promise<void>((done) => {
      go = done;
    });
    await page.route('**/vq.safetensors', async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(site.page);
    return { page, go: () => go() };
  };

  const grey = { width: 96, height: 96, rgba: new Uint8ClampedArray(4 * 96 ** 2).fill(128) };

  test('a picture that is dropped before the model is there begins the next one', async () => {
    const { page, go } = await openHeld();
    const bytes = await encodePng(grey);
    await drop(page, [{ name: 'photo.png', type: 'image/png', bytes }]);
    await page.getByText('Keep 6 of 12 rows').waitFor();
    await page.getByRole('slider').fill('2');
    go();
    await ready(page);
    await page.getByText('Keep 2 of 12 rows').waitFor();
    await button(page, 'Draw').click();
    await page.getByText('24 tokens given').waitFor({ timeout: 90_000 });
    await page.context().close();
  });

  test('settings of a picture that is dropped before the model is there are those it draws by', async () => {
    const { page, go } = await openHeld();
    const sampling = { cfgScale: 3, cfgInterval: -1, temperature: 1, topK: 0, topP: 1 };
    const images = [{ class: MODEL_KIWI, className: 'Kiwi', seed: 3 }];
    const bytes = await encodePng(grey, pictureText({ model: 'fruits-96', sampling, images }));
    await drop(page, [{ name: 'kiwi.png', type: 'image/png', bytes }]);
    await page.getByText('The settings of this picture are back').waitFor();
    await button(page, 'Draw').click();
    go();
    await page.waitForURL(/class=Kiwi&seed=3&cfg-scale=3&/);
    await page.getByText(/^seed 3 · .* tokens\/s/).waitFor({ timeout: 90_000 });
    await page.context().close();
  });

  test('a picture that waits for the model can be taken back', async () => {
    const { page, go } = await openHeld();
    await button(page, 'Draw').click();
    await button(page, 'Do not draw').click();
    go();
    await ready(page);
    expect(await button(page, 'Draw').isEnabled()).toBe(true);
    await page.getByText('Choose, then draw').waitFor();
    await page.context().close();
  });
});

/** Runs in the page: uses it as soon as it can be, and says when that was. */
function useEarly(): void {
  const look = (): void => {
    const choice = document.querySelector<HTMLInputElement>('input[aria-label=Walnut]:enabled');
    const draw = document.querySelector<HTMLButtonElement>('button.primary:enabled');
    if (!choice || choice.matches('fieldset:disabled *') || !draw) {
      requestAnimationFrame(look);
      return;
    }
    choice.click();
    const hasModel = document.querySelector('.footer code') !== null;
    draw.click();
    Object.assign(globalThis, { used: { at: performance.now(), hasModel } });
  };
  look();
}
