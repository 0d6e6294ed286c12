import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** Tests of the server: real HTTP, real processes, a real Redis. `npm run test:serve`. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/serve/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
export default config;
