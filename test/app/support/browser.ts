/** The suite's browser. */
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { inject } from 'vitest';

/** Close it at the end of a file: that ends its contexts, and the browser goes on. */
export const connectBrowser = (): Promise<Browser> => chromium.connect(inject('browser'));

/** What a page said that it should not have: exceptions, errors and warnings. Listens from now on. */
export function problemsOf(page: Page | BrowserContext): string[] {
  const problems: string[] = [];
  const add = (text: string): number => problems.push(text);
  if ('contexts' in page) return problems;
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) add(message.text());
  });
  if ('mainFrame' in page) page.on('pageerror', ({ message }) => add(message));
  else page.on('weberror', (event) => add(event.error().message));
  return problems;
}
