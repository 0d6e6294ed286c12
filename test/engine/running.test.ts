/** What those that run are known to have drawn, where it is not known how far passes went. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROGRESS_WORDS } from '../../kernels/sampler/window-table.ts';
import { Job } from '../../src/engine/job.ts';
import type { PlannedPass } from '../../src/engine/plan-pass.ts';
import { checkRequest, type EngineEvent } from '../../src/engine/request.ts';
import { Results } from '../../src/engine/results.ts';
import { Running } from '../../src/engine/running.ts';
import { createSlots, type Slots } from '../../src/engine/slots.ts';
import { loadModel, type Model } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { tinyFolder } from '../support/tiny-model.ts';

/** Tokens of a grid. */
const TOTAL = 16;

let model: Model;
let slots: Slots;
beforeAll(async () => {
  model = await loadModel(await testDevice(), tinyFolder());
  slots = await createSlots(model.gpt, 1, 8);
});
afterAll(() => {
  slots.destroy();
  model.destroy();
});

test('passes beyond the end of a grid draw nothing', async () => {
  const results = new Results(model, slots, undefined);
  const full: [tokens: Promise<Uint32Array>, passes: number][] = [];
  const running = new Running(model, slots, results, (_, ...its) => void full.push(its));
  const request = checkRequest(model.config, { classIndex: 1, cfgScale: 1, window: 4 }, 1);
  const job = new Job(request, 0, {});
  running.start(job);
  const [placed] = running.placed;
  /** Passes of so many positions, behind which so many tokens are known. */
  const move = async (count: number, passes: number, known: number): Promise<() => void> => {
    const { passes: before } = placed!.at;
    const line = new Uint32Array(PROGRESS_WORDS);
    line.set([known, known, 0, before + passes]);
    slots.write('progress', line);
    const plan: PlannedPass = {
      rows: [],
      draws: [],
      windows: [],
      counts: new Map([[placed!, count]]),
    };
    return running.move(plan, passes);
  };
  const tell = [
    await move(4, 3, 12),
    // More passes than its grid has room for, as others run with it, which leave it one position.
    await move(1, 6, TOTAL),
  ];
  tell[0]!();
  expect(placed!.at).toMatchObject({ least: TOTAL + 2, most: TOTAL + 2 });
  tell.push(await move(1, 1, TOTAL));
  for (const each of tell.slice(1)) each();
  expect([running.drawn, running.jobs.size]).toEqual([TOTAL, 0]);
  expect(full.map(([_, passes]) => passes)).toEqual([9]);
  expect(await full[0]![0]).toHaveLength(TOTAL);
  job.finish();
  const told: EngineEvent[] = [];
  for await (const event of job.events) told.push(event);
  expect(told.filter(({ type }) => type === 'tokens')).toMatchObject([{ done: 12, total: TOTAL }]);
  results.destroy();
});
