import { expect, test } from 'vitest';
import { describeProgress } from '../../src/cli/report.ts';

test('a download says how much, how fast and how long, by the bytes of this try', () => {
  const progress = { phase: 'download', done: 600e6, total: 1000e6, elapsedMs: 10_000 };
  expect(describeProgress({ ...progress, before: 500e6 })).toBe(
    '600.0/1000.0 MB, 10.0 MB/s, 40 s left',
  );
  expect(describeProgress(progress)).toBe('600.0/1000.0 MB, 60.0 MB/s, 7 s left');
  expect(describeProgress({ ...progress, done: 500e6, before: 500e6 })).toBe('500.0/1000.0 MB');
});
