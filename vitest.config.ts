import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** GPU tests run on a software adapter where there is no GPU: slow, and two files at a time at most. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
});
export default config;
