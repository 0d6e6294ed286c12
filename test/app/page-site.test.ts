/** What the page weighs, what it asks for, who can use it, and where: offline, without WebGPU. */
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goldenFiles } from '../support/golden-model.ts';
import { startHub } from '../support/hub.ts';
import { hasChromium } from '../web/chromium.ts';
import { faultsOf } from './support/axe.ts';
import { connectBrowser, problemsOf } from './support/browser.ts';
import { button, drawClass, finished, ready } from './support/page-kit.ts';
import { servePageSite } from './support/page-site.ts';

const MOST_BYTES = 250_000;

describe.skipIf(!hasChromium)('the site', () => {
  let site: Awaited<ReturnType<typeof servePageSite>>;
  let browser: Browser;

  beforeAll(async () => {
    [site, browser] = await Promise.all([servePageSite(), connectBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('a first visit: light, shown within a second, from here alone, and kept for the next', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const problems = problemsOf(page);
    const asked = new Set<string>();
    page.on('request', (request) => asked.add(request.url()));
    const before = site.log.length;
    await page.goto(site.page);
    await page.getByRole('radio').first().waitFor({ state: 'attached' });
    // What is attached may be painted a moment later.
    const painted = await page.waitForFunction(
      () => performance.getEntriesByName('first-contentful-paint')[0],
    );
    const shownAfter = await painted.evaluate((paint) => paint?.startTime ?? 0);
    await ready(page);
    await page.evaluate(async () => {
      await navigator.serviceWorker.ready;
    });
    const elsewhere = [...asked].filter((url) => !url.startsWith(site.page));
    expect(elsewhere.filter((url) => !url.startsWith('blob:'))).toEqual([]);
    // Those of the service worker too.
    const paths = new Set(site.log.slice(before).map((line) => line.split(' ')[1] ?? ''));
    const files = [...paths].filter((path) => !path.includes('/models/'));
    const bodies = await Promise.all(files.map((path) => fetch(`${site.url}${path}`)));
    expect(bodies.filter(({ ok }) => !ok).map(({ url }) => url)).toEqual([]);
    let bytes = 0;
    for (const body of bodies) bytes += gzipSync(new Uint8Array(await body.arrayBuffer())).length;
    expect(bytes).toBeGreaterThan(50_000);
    expect(bytes).toBeLessThan(MOST_BYTES);
    expect(shownAfter).toBeGreaterThan(0);
    expect(shownAfter).toBeLessThan(1000);

    // Then the network goes away.
    await drawClass(page, 'Kiwi');
    await context.setOffline(true);
    await page.reload();
    await ready(page);
    await drawClass(page, 'Orange');
    expect(await page.getByRole('region', { name: 'Gallery' }).getByRole('img').count()).toBe(2);
    const expected = /ERR_INTERNET_DISCONNECTED/;
    expect(problems.filter((text) => !expected.test(text))).toEqual([]);
    await context.close();
  });

  test('its policy lets nothing else in', async () => {
    const page = await browser.newPage();
    await page.goto(site.page);
    const blocked = await page.evaluate(async () => {
      const seen: string[] = [];
      document.addEventListener('securitypolicyviolation', (e) => seen.push(e.effectiveDirective));
      const inline = document.createElement('script');
      inline.textContent = 'globalThis.intruded = true';
      document.body.append(inline);
      const image = new Image();
      image.src = 'http://127.0.0.1:9/x.png';
      await fetch('http://127.0.0.1:9/').catch(() => {});
      await new Promise((done) => setTimeout(done, 100));
      return [...seen, Reflect.get(globalThis, 'intruded')];
    });
    expect(blocked).toEqual(
      expect.arrayContaining(['script-src-elem', 'img-src', 'connect-src', undefined]),
    );
    await page.context().close();
  });

  test.each(['light', 'dark'] as const)('axe-core finds nothing, %s', async (colorScheme) => {
    for (const width of [320, 1280]) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
      await page.goto(site.page);
      await ready(page);
      for (const fold of await page.locator('summary').all()) await fold.click();
      expect(await faultsOf(page)).toEqual([]);
      const { scrollWidth } = await page.evaluate(() => ({
        scrollWidth: document.documentElement.scrollWidth,
      }));
      expect(scrollWidth).toBe(width);
      await page.context().close();
    }
  });

  test('axe-core finds nothing while a picture is made, nor in the gallery', async () => {
    const page = await browser.newPage();
    await page.goto(site.page);
    await ready(page);
    await drawClass(page, 'Lychee');
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('radio', { name: '4', exact: true }).check();
    await button(page, 'Draw').click();
    await page.locator('canvas.now').first().waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.context().close();
  });

  test('focus is seen wherever the keyboard takes it, and arrows choose classes', async () => {
    const page = await browser.newPage();
    await page.goto(site.page);
    await ready(page);
    const reached: string[] = [];
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press('Tab');
      const name = await page.evaluate(() => {
        const at = document.activeElement;
        const style =
          at &&
          getComputedStyle(at.matches('input[type=radio]') ? (at.nextElementSibling ?? at) : at);
        return `${at?.tagName} ${style?.outlineStyle}`;
      });
      reached.push(name);
    }
    expect(reached).toContain('INPUT solid');
    expect(reached).toContain('BUTTON solid');
    expect(reached).toContain('SUMMARY solid');
    await page.getByRole('radio', { name: 'Strawberry' }).focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('radio', { name: 'Walnut' }).isChecked()).toBe(true);
    await page.context().close();
  });

  test('a picture is drawn and kept by keyboard alone', async () => {
    const page = await browser.newPage();
    await page.goto(site.page);
    await ready(page);
    /** Goes on to what is named so; fails where that is not among the next stops. */
    const tabTo = async (name: RegExp): Promise<void> => {
      for (let i = 0; i < 12; i++) {
        await page.keyboard.press('Tab');
        const at = await page.evaluate(() => {
          const { activeElement } = document;
          return activeElement?.getAttribute('aria-label') ?? activeElement?.textContent ?? '';
        });
        if (name.test(at)) return;
      }
      throw new Error(`${name} is not reached by Tab`);
    };
    await tabTo(/^Strawberry$/);
    await page.keyboard.press('ArrowRight');
    await tabTo(/^Draw$/);
    await page.keyboard.press('Enter');
    await finished(page);
    expect(await page.getByRole('img', { name: /^Walnut, seed \d+$/ }).count()).toBe(2);
    await page.context().close();
  });

  test('explains a browser without WebGPU, and shows the gallery all the same', async () => {
    const page = await browser.newPage();
    // The page asks in a worker, where nothing can be put before its script.
    await page.route('**/assets/worker-*.js', async (route) => {
      const answer = await route.fetch();
      const body = `Object.defineProperty(navigator, 'gpu', { value: undefined });\n${await answer.text()}`;
      await route.fulfill({ response: answer, body });
    });
    await page.goto(site.page);
    await page
      .getByRole('alert')
      .getByText(/this browser has no WebGPU/i)
      .waitFor();
    expect(await button(page, 'Draw').isDisabled()).toBe(true);
    await page.getByRole('heading', { name: 'Gallery' }).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.context().close();
  });

  test('a model that is missing is explained, and tried again', async () => {
    const page = await browser.newPage();
    await page.route('**/vq.safetensors', (route) => route.fulfill({ status: 404 }));
    await page.goto(site.page);
    await page
      .getByRole('alert')
      .getByText(/vq\.safetensors/)
      .waitFor();
    expect(await button(page, 'Draw').isDisabled()).toBe(true);
    await page.unroute('**/vq.safetensors');
    await button(page, 'Try again').click();
    await ready(page);
    expect(await page.getByRole('alert').count()).toBe(0);
    await page.context().close();
  });

  test('a model of a link is fetched once the user knows what it takes', async () => {
    const hub = await startHub();
    for (const [name, bytes] of Object.entries(goldenFiles('c2i_tiny'))) {
      const map = name.endsWith('.json') ? hub.small : hub.files;
      map.set(`someone/tiny/${name}`, Buffer.from(bytes));
    }
    const page = await browser.newPage();
    await page.route('https://huggingface.co/**', async (route) => {
      const { pathname, search } = new URL(route.request().url());
      const response = await route.fetch({ url: `${hub.endpoint}${pathname}${search}` });
      const open = { 'access-control-allow-origin': '*', 'access-control-expose-headers': '*' };
      await route.fulfill({ response, headers: { ...response.headers(), ...open } });
    });
    await page.goto(`${site.page}#model=c2i_tiny&hub=someone/tiny&class=class+3&seed=1`);
    await ready(page);
    await button(page, 'Load someone/tiny').click();
    await page.getByText(/^someone\/tiny: .* to fetch, .* of GPU memory/).waitFor();
    // What was looked at is what is fetched: not what is named since.
    await page.locator('summary', { hasText: 'Model' }).click();
    const name = page.getByLabel('Model of the hub, or address');
    await name.fill('someone/tiny');
    await button(page, 'Look').click();
    const found = page.locator('.models').getByRole('button', { name: /^Fetch/ });
    await found.waitFor();
    await name.fill('someone/other');
    await expect.poll(() => found.count()).toBe(0);
    await page
      .getByRole('region', { name: 'Picture' })
      .getByRole('button', { name: /^Fetch \d/ })
      .click();
    await page.getByRole('img', { name: 'class 3, seed 1' }).first().waitFor();
    await finished(page);
    // It is in the list by now, and is what draws.
    await button(page, 'Remove c2i_tiny from this browser').waitFor();
    await button(page, 'Load fruits-96').waitFor();
    expect(await button(page, 'Load c2i_tiny').count()).toBe(0);

    // Now that it is here, nothing is asked, and nothing fetched.
    await page.reload();
    await ready(page);
    const before = hub.fetches().length;
    await button(page, 'Load someone/tiny').click();
    await page.getByText('c2i_tiny', { exact: true }).first().waitFor();
    await finished(page);
    expect(await page.getByRole('button', { name: /^Fetch \d/ }).count()).toBe(0);
    expect(hub.fetches().length).toBe(before);
    await page.context().close();
    await hub.close();
  });

  test('a full disk keeps the page from being kept, and from nothing else', async () => {
    const page = await browser.newPage();
    const problems = problemsOf(page);
    await page.goto(`${site.page}icon.svg`);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: site.url, quotaSize: 10_000 });
    await page.goto(site.page);
    await ready(page);
    // It begins, and has no room for what it is to keep.
    await expect
      .poll(() =>
        page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length),
      )
      .toBe(0);
    await drawClass(page, 'Kiwi');
    await page.reload();
    await ready(page);
    expect(await page.getByRole('alert').count()).toBe(0);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('a browser without room says that the model is not kept, and draws', async () => {
    const page = await browser.newPage();
    await page.goto(`${site.page}icon.svg`);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: site.url, quotaSize: 10_000_000 });
    await page.goto(site.page);
    await ready(page);
    await page
      .getByRole('region', { name: 'Picture' })
      .getByText(/fruits-96 is kept in memory.* 10 MB/)
      .waitFor();
    expect(await page.getByRole('status').textContent()).toMatch(/is ready.*is kept in memory/);
    expect(await button(page, 'Draw').isEnabled()).toBe(true);
    await page.context().close();
  });
});
