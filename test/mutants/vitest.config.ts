import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** The tests with a fault in the kernels. Only the mutation gate uses this; see run.ts. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/mutants/apply.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
  },
});
export default config;
