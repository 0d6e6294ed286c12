/** One Chromium for all files of the suite. */
import { chromium } from 'playwright-core';
import type { TestProject } from 'vitest/node';
import { chromiumOptions, hasChromium } from '../../web/chromium.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the browser is reached; empty where none runs. */
    readonly browser: string;
  }
}

export default async function setup(
  project: TestProject,
): Promise<(() => Promise<void>) | undefined> {
  project.provide('browser', '');
  if (!hasChromium) return undefined;
  const server = await chromium.launchServer(await chromiumOptions());
  project.provide('browser', server.wsEndpoint());
  return () => server.close();
}
