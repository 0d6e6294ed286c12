import { describe, expect, test } from 'vitest';
import { addLoads, type BackendLoad, NO_LOAD } from '../../src/serve/load.ts';
import { createMetrics, type Metrics } from '../../src/serve/metrics.ts';

const LOAD: BackendLoad = {
  ...{ workers: 1, waiting: 2, running: 3, slots: 8, slotsInUse: 6, rowsInUse: 5 },
  ...{ passes: 100, tokens: 250, rowsComputed: 400, rowsFull: 300, resets: 1 },
  gpuBytes: { weights: 10, state: 20, temp: 30, staging: 40 },
};

/** Value of a line such as `name{labels} value`. */
async function readMetric(metrics: Metrics, line: string): Promise<number | undefined> {
  const found = (await metrics.text()).split('\n').find((l) => l.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length));
}

type Event = { readonly type: string; readonly decodeMs?: number };

async function* eventsOf(events: readonly (Event | Error)[]): AsyncGenerator<Event> {
  for (const event of events) {
    if (event instanceof Error) throw event;
    yield event;
  }
}

describe('metrics', () => {
  test('say the load of the moment they are read', async () => {
    let load = LOAD;
    const metrics = createMetrics(() => load);
    expect(await readMetric(metrics, 'llamagen_queue_length')).toBe(2);
    expect(await readMetric(metrics, 'llamagen_rows_in_use')).toBe(5);
    expect(await readMetric(metrics, 'llamagen_tokens_total')).toBe(250);
    expect(await readMetric(metrics, 'llamagen_device_resets_total')).toBe(1);
    expect(await readMetric(metrics, 'llamagen_gpu_memory_bytes{kind="state"}')).toBe(20);
    load = { ...LOAD, waiting: 0, tokens: 260 };
    expect(await readMetric(metrics, 'llamagen_queue_length')).toBe(0);
    expect(await readMetric(metrics, 'llamagen_tokens_total')).toBe(260);
  });

  test('of several servers in one process do not meet', async () => {
    const [a, b] = [createMetrics(() => LOAD), createMetrics(() => LOAD)];
    a.refused('queue_full');
    const name = 'llamagen_requests_refused_total{code="queue_full"}';
    expect(await readMetric(a, name)).toBe(1);
    expect(await readMetric(b, name)).toBe(undefined);
  });

  test('every metric has a name after the conventions, a type and a help text', async () => {
    const metrics = createMetrics(() => LOAD);
    metrics.refused('queue_full');
    metrics.http('GET', '/healthz', 200, 0.001);
    const text = await metrics.text();
    const types = [...text.matchAll(/^# TYPE (llamagen_\w+) (\w+)$/gm)];
    expect(types.length).toBeGreaterThan(15);
    for (const [, name, type] of types) {
      expect(text).toMatch(new RegExp(`^# HELP ${name} \\S`, 'm'));
      if (type === 'counter') expect(name).toMatch(/_total$/);
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
      if (type === 'gauge') expect(name).not.toMatch(/_total$/);
    }
  });

  test('time an image from its events, whose order and contents stay', async () => {
    let now = 0;
    const metrics = createMetrics(
      () => LOAD,
      () => now,
    );
    const events = ['queued', 'started', 'resumed', 'preview', 'preview', 'image', 'done'];
    const given = events.map((type) => ({ type, ...(type === 'image' && { decodeMs: 40 }) }));
    const seen: Event[] = [];
    for await (const event of metrics.follow(eventsOf(given))) {
      seen.push(event);
      now += 1000;
    }
    expect(seen).toEqual(given);
    const sums = {
      llamagen_queue_wait_seconds_sum: 1,
      llamagen_first_preview_seconds_sum: 3,
      llamagen_draw_duration_seconds_sum: 4,
      llamagen_decode_duration_seconds_sum: 0.04,
      'llamagen_image_duration_seconds_sum{outcome="done"}': 7,
    };
    for (const [name, sum] of Object.entries(sums)) {
      expect(await readMetric(metrics, name), name).toBe(sum);
    }
    expect(await readMetric(metrics, 'llamagen_first_preview_seconds_count')).toBe(1);
  });

  test.each([
    ['failed', new Error('no')],
    ['cancelled', new DOMException('gone', 'AbortError')],
  ])('count an image that %s', async (outcome, error) => {
    const metrics = createMetrics(() => LOAD);
    const run = async (): Promise<void> => {
      for await (const _ of metrics.follow(eventsOf([{ type: 'started' }, error])));
    };
    await expect(run()).rejects.toBe(error);
    const name = `llamagen_image_duration_seconds_count{outcome="${outcome}"}`;
    expect(await readMetric(metrics, name)).toBe(1);
  });

  test('count an image whose reader left as cancelled, and let its source go', async () => {
    let isOver = false;
    async function* source(): AsyncGenerator<Event> {
      try {
        for (;;) yield { type: 'preview' };
      } finally {
        isOver = true;
      }
    }
    const metrics = createMetrics(() => LOAD);
    for await (const _ of metrics.follow(source())) break;
    expect(isOver).toBe(true);
    const name = 'llamagen_image_duration_seconds_count{outcome="cancelled"}';
    expect(await readMetric(metrics, name)).toBe(1);
  });

  test('rates are those of the last ten seconds, and forget a worker that went away', () => {
    let [now, load] = [0, LOAD];
    const metrics = createMetrics(
      () => load,
      () => now,
    );
    expect(metrics.rates().passesPerSecond).toBe(0);
    const add = (passes: number): void => {
      now += 1000;
      load = {
        ...load,
        passes: load.passes + passes,
        tokens: load.tokens + 3 * passes,
        rowsComputed: load.rowsComputed + 4 * passes,
        rowsFull: load.rowsFull + 2 * passes,
      };
    };
    for (let i = 0; i < 20; i++) {
      add(100);
      metrics.rates();
    }
    for (let i = 0; i < 10; i++) {
      add(10);
      metrics.rates();
    }
    const rates = metrics.rates();
    expect(rates.passesPerSecond).toBeGreaterThanOrEqual(10);
    expect(rates.passesPerSecond).toBeLessThan(20);
    expect(rates.tokensPerPass).toBeCloseTo(3);
    expect(rates.fullRows).toBeCloseTo(0.5);
    load = NO_LOAD;
    expect(metrics.rates()).toEqual({
      ...{ passesPerSecond: 0, tokensPerSecond: 0, tokensPerPass: 0, fullRows: 0 },
    });
  });
});

test('loads add up', () => {
  expect(addLoads([])).toEqual(NO_LOAD);
  expect(addLoads([LOAD])).toEqual(LOAD);
  const two = addLoads([LOAD, LOAD]);
  expect(two.rowsFull).toBe(600);
  expect(two.gpuBytes).toEqual({ weights: 20, state: 40, temp: 60, staging: 80 });
});
