import { configDefaults, defineConfig, type ViteUserConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Take longest on a software adapter, so they begin first: vitest would begin with the largest files,
 * and leave one worker without work at the end.
 */
const FIRST: readonly RegExp[] = [
  /test\/golden\.test\.ts$/,
  /test\/web\/browser\.test\.ts$/,
  /test\/cli\/tune\.test\.ts$/,
  // A line each, and hundreds of cases.
  /test\/kernels\/cases\/\w+\.test\.ts$/,
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isFirst = ({ moduleId }: TestSpecification): boolean =>
      FIRST.some((name) => name.test(moduleId.replaceAll('\\', '/')));
    const sorted = await super.sort(files);
    return [...sorted.filter(isFirst), ...sorted.filter((file) => !isFirst(file))];
  }
}

/** GPU tests run on a software adapter where there is no GPU: slow, and two files at a time at most. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They have configurations of their own: vitest.app.config.ts, vitest.serve.config.ts.
    exclude: [...configDefaults.exclude, 'test/app/**', 'test/serve/**'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
});
export default config;
