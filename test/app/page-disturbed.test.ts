/** The page when something happens beside it: its device is destroyed, another tab changes the gallery. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goldenFiles } from '../support/golden-model.ts';
import { tinyTextFiles } from '../support/tiny-text-model.ts';
import { hasChromium } from '../web/chromium.ts';
import { connectBrowser, problemsOf } from './support/browser.ts';
import { button, drop, finished, pixels, ready } from './support/page-kit.ts';
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

  test('can draw again, by the same settings, once there is a device', async () => {
    const other = await browser.newContext();
    await other.addInitScript(keepWorker);
    const page = await other.newPage();
    // The page asks for adapters in a worker, where nothing can be put before its script.
    await page.route('**/assets/worker-*.js', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: `(${hideAdapters})();${await answer.text()}` });
    });
    await page.goto(site.page);
    await ready(page);
    const tell = (message: object): Promise<void> =>
      page.evaluate((message) => Reflect.get(globalThis, 'worker').postMessage(message), message);
    await page.getByLabel('Class', { exact: true }).fill('class 5');
    await page.getByText('Settings', { exact: true }).click();
    await page.getByLabel('Guidance').fill('3');
    // No call of the page has this number.
    await tell({ id: -1, abort: true, hides: true });
    await tell({ id: -1, name: 'loseDevice', given: undefined });
    await button(page, 'Draw').click();
    const alert = page.getByRole('alert');
    await alert.getByText('The picture was not finished').waitFor();
    await button(page, 'Try again').click();
    await alert.getByText(/^The browser has WebGPU but offers no GPU/).waitFor();
    await tell({ id: -1, abort: true, hides: false });
    await button(page, 'Try again').click();
    await finished(page);
    expect(await alert.count()).toBe(0);
    expect(page.url()).toMatch(/class=class\+5&.*cfg-scale=3&/);
    await other.close();
  });

  test('draws by the model that is there where loading was stopped too late', async () => {
    const other = await browser.newContext();
    await other.addInitScript(stopLate);
    const page = await open(other);
    const files = Object.entries(tinyTextFiles()).map(([name, bytes]) => ({ name, bytes }));
    await drop(page, files);
    const prompt = page.getByRole('textbox', { name: 'What to draw' });
    await prompt.fill('two lemon');
    expect(await page.evaluate(() => Reflect.get(globalThis, 'stopped'))).toBe(1);
    await button(page, 'Draw').click();
    await finished(page);
    expect(page.url()).toMatch(/model=tiny-texts&prompt=two\+lemon&/);
    expect(await page.getByRole('alert').count()).toBe(0);
    await other.close();
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

/** Runs in the page, before its script: its worker can be told something by the test. */
function keepWorker(): void {
  globalThis.Worker = class extends Worker {
    constructor(script: string | URL, options?: WorkerOptions) {
      super(script, options);
      Object.assign(globalThis, { worker: this });
    }
  };
}

/** Runs in the worker, before its script: there are no adapters while it is told so. */
function hideAdapters(): void {
  let hides = false;
  addEventListener('message', ({ data }) => {
    hides = data.hides ?? hides;
  });
  const ask = GPU.prototype.requestAdapter;
  GPU.prototype.requestAdapter = async function (options) {
    return hides ? null : ask.call(this, options);
  };
}

/** Runs in the page, before its script: Stop is pressed when the answer of a model of texts is there. */
function stopLate(): void {
  Object.assign(globalThis, { stopped: 0 });
  globalThis.Worker = class extends Worker {
    constructor(script: string | URL, options?: WorkerOptions) {
      super(script, options);
      this.addEventListener('message', ({ data }) => {
        const stop = [...document.querySelectorAll('button')].find((b) => b.textContent === 'Stop');
        if (data.answer?.modelType !== 't2i' || !stop) return;
        stop.click();
        Object.assign(globalThis, { stopped: Reflect.get(globalThis, 'stopped') + 1 });
      });
    }
  };
}

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
