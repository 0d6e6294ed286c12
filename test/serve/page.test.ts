/** The page at `/` in a browser, under its strict policy, and the documents beside it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiKeys } from '../../src/serve/api-keys.ts';
import type { Backend } from '../../src/serve/backend.ts';
import { ROOT } from '../support/sources.ts';
import { hasChromium, launchChromium } from '../web/chromium.ts';
import { type Served, serve, tinyBackend } from './support.ts';

const KEY = 'the-key-of-this-test';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

test('its script is what its types say', () => {
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
  const run = spawnSync(tsc, ['-p', join(ROOT, 'src/serve/page')], { encoding: 'utf8' });
  expect(run.stdout).toBe('');
  expect(run.status).toBe(0);
});

describe.skipIf(!hasChromium)('in a browser', () => {
  let browser: Browser;
  let backend: Backend;
  let served: Served;
  let guarded: Served;

  beforeAll(async () => {
    browser = await launchChromium();
    backend = await tinyBackend();
    served = await serve({ backend });
    guarded = await serve({ backend, apiKeys: new ApiKeys([KEY]) });
  });
  afterAll(async () => {
    await browser.close();
    await served.close();
    await guarded.close();
    await backend.close(0);
  });

  interface Opened {
    readonly page: Page;
    /** What the console said, what was thrown, and what was asked of other hosts. */
    readonly problems: readonly string[];
  }

  async function open(url: string, look: object = {}): Promise<Opened> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      ...look,
    });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('console', (message) => {
      if (message.type() !== 'info') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      if (!/^data:/.test(request.url()) && new URL(request.url()).origin !== new URL(url).origin) {
        problems.push(`asked ${request.url()}`);
      }
    });
    await page.goto(url);
    return { page, problems };
  }

  const drawOn = async (page: Page): Promise<void> => {
    await page.fill('#prompt', 'class 4');
    await page.fill('#seed', '11');
    await page.click('#go');
    await page.waitForFunction(() => document.querySelectorAll('#images img').length === 2);
  };

  test('draws, shows what it draws and the last images, and how busy the server is', async () => {
    const { page, problems } = await open(served.url);
    await page.waitForSelector('.state.good');
    await drawOn(page);
    expect(await page.textContent('#said')).toMatch(/^2 images in \d/);
    const captions = await page.$$eval('#drawn figcaption', (all) => all.map((e) => e.textContent));
    expect(captions).toEqual(['seed 11', 'seed 12']);
    const alt = await page.$$eval('#images img', (all) => all.map((e) => e.getAttribute('alt')));
    expect(alt.sort()).toEqual(['class 4, seed 11', 'class 4, seed 12']);
    expect(await page.textContent('#slots')).toBe('0 of 32');
    expect(await page.textContent('#model')).toContain('c2i_tiny · 8x8');
    expect(problems).toEqual([]);
  });

  test('says what a server says of what it cannot draw', async () => {
    const { page } = await open(served.url);
    await page.waitForSelector('.state.good');
    await page.fill('#prompt', 'clas 4');
    await page.click('#go');
    await page.waitForSelector('#said.bad');
    expect(await page.textContent('#said')).toContain('did you mean "class 4"');
  });

  test('asks for a key where one is needed, and keeps it in the tab', async () => {
    const { page } = await open(guarded.url);
    await page.waitForSelector('#key-field');
    await page.fill('#key-field', KEY);
    await page.click('#key button');
    await page.waitForSelector('.state.good');
    await drawOn(page);
    expect(await page.evaluate(() => localStorage.length)).toBe(0);
    await page.reload();
    await page.waitForSelector('.state.good');
  });

  test.each([
    ['desktop', 1280, 'light'],
    ['desktop', 1280, 'dark'],
    ['phone', 360, 'light'],
    ['phone', 360, 'dark'],
  ] as const)('has room and is accessible: %s (%i), %s', async (_, width, colorScheme) => {
    const { page } = await open(served.url, { viewport: { width, height: 800 }, colorScheme });
    await page.waitForSelector('#images img');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    await page.evaluate(AXE); // not a script of the page: its policy would refuse it
    const violations = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
      return (await axe.run()).violations.map(({ id, nodes }) => [id, nodes.map((n) => n.html)]);
    });
    expect(violations).toEqual([]);
  });

  test('the OpenAPI document has a page to try it, under a policy of its own', async () => {
    const { page, problems } = await open(`${served.url}/docs`);
    await page.waitForSelector('.opblock-post');
    expect(await page.textContent('.opblock-post')).toContain('/v1/images/generations');
    expect(problems).toEqual([]);
  });

  test('lets no other page frame it, and loads nothing of others', async () => {
    const { headers } = await fetch(served.url);
    expect(headers.get('content-security-policy')).toMatch(
      /default-src 'none'.*script-src 'self';.*frame-ancestors 'none'/,
    );
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).not.toContain('unsafe');
  });
});
