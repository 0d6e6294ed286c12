/** What a trace file holds: the parts of the Trace Event Format that viewers need. */
import { expect, test } from 'vitest';
import { chromeTrace } from '../../src/gpu/trace.ts';

const event = (trace: string, name: string) =>
  JSON.parse(trace).traceEvents.find((e: { name: string }) => e.name === name);

test('a thread for each track, times from the first span, in microseconds', () => {
  const trace = chromeTrace('llamagen', [
    { name: 'JavaScript', spans: [{ name: 'load', beginUs: 1000, endUs: 3000 }] },
    {
      name: 'GPU',
      spans: [{ name: 'copy', beginUs: 1500.12345, endUs: 1600, facts: { bytes: 8 } }],
    },
  ]);
  expect(event(trace, 'load')).toEqual({ ph: 'X', name: 'load', pid: 1, tid: 1, ts: 0, dur: 2000 });
  expect(event(trace, 'copy')).toMatchObject({ tid: 2, ts: 500.123, args: { bytes: 8 } });
  const threads = JSON.parse(trace).traceEvents.filter(
    (e: { name: string }) => e.name === 'thread_name',
  );
  expect(threads.map((t: { tid: number; args: unknown }) => [t.tid, t.args])).toEqual([
    [1, { name: 'JavaScript' }],
    [2, { name: 'GPU' }],
  ]);
});

test('a trace of nothing is one', () => {
  const trace = JSON.parse(chromeTrace('llamagen', [{ name: 'GPU', spans: [] }]));
  expect(trace.traceEvents).toHaveLength(2);
});
