/** The page of `npm run web`, used as a person uses it. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PageServer, servePage } from '../../web/server.ts';
import { hasChromium, launchChromium } from './chromium.ts';

describe.skipIf(!hasChromium)('the page', () => {
  let server: PageServer;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    server = await servePage();
    browser = await launchChromium();
    page = await browser.newPage();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  const status = async (): Promise<string> => (await page.textContent('#status')) ?? '';
  const becomes = (text: RegExp): Promise<void> =>
    expect.poll(status, { timeout: 60_000, interval: 20 }).toMatch(text);
  const pixels = (): Promise<number[]> =>
    page.$eval('canvas', (canvas: HTMLCanvasElement) => {
      const { width, height } = canvas;
      return Array.from(canvas.getContext('2d')?.getImageData(0, 0, width, height).data ?? []);
    });

  test('makes a picture of the class that was picked', async () => {
    await page.goto(server.url);
    await becomes(/^Ready$/);
    expect(await page.textContent('#adapter')).toMatch(/SwiftShader.*software/i);
    const seen: string[] = [];
    page.on('console', (message) => seen.push(message.text()));
    await page.$eval('#status', (element) => {
      new MutationObserver(() => console.log(element.textContent)).observe(element, {
        childList: true,
      });
    });
    await page.selectOption('#classes', 'Kiwi');
    await page.click('#button');
    await becomes(/^Kiwi, seed \d+, [\d.]+ s$/);
    expect(seen).toContainEqual(expect.stringMatching(/^\d+ of 144 tokens, [\d.]+ tokens\/s$/));
    const picture = await pixels();
    expect(picture).toHaveLength(4 * 96 * 96);
    expect(new Set(picture).size).toBeGreaterThan(50);
  });

  test('stops when asked to', async () => {
    // Clicked inside the page as soon as tokens are counted: a picture may take less than a second.
    const label = await page.evaluate(
      () =>
        new Promise<string | null>((resolve) => {
          const [status, button] = ['status', 'button'].map((id) => document.getElementById(id));
          if (!status || !button) throw new Error('the page lacks its status or its button');
          new MutationObserver((_, observer) => {
            if (!/of 144 tokens/.test(status.textContent ?? '')) return;
            observer.disconnect();
            resolve(button.textContent);
            button.click();
          }).observe(status, { childList: true });
          button.click();
        }),
    );
    expect(label).toBe('Stop');
    await becomes(/^Stopped$/);
    expect(await page.textContent('#button')).toBe('Generate');
  });

  test('shows an error as text', async () => {
    await page.route('**/vq.safetensors', (route) => route.fulfill({ status: 404 }));
    await page.reload();
    await becomes(/vq\.safetensors: no such file \(HTTP 404\)$/);
    expect(await page.isDisabled('#button')).toBe(true);
  });
});
