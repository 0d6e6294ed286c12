import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** `npm run test:app`: the app in a browser. Files share one browser, and run one after another. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/app/**/*.test.ts'],
    globalSetup: ['test/app/support/browser-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
export default config;
