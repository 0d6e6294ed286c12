/** When the bench reports nothing. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { adapterDifference } from '../../bench/environment.ts';
import { assertFinite, Refusal } from '../../bench/refusal.ts';
import { Session } from '../../bench/session.ts';
import type { Settings } from '../../bench/settings.ts';
import { runSuites, type Suite } from '../../bench/suites.ts';
import { DeviceError } from '../../src/errors.ts';
import { type NodeDevice, openDevice } from '../../src/node/device.ts';
import { ROOT } from '../support/sources.ts';

const SETTINGS: Settings = {
  ...{ runs: 1, quick: true, kv: 'f32', budget: 1, model: '', images: [] },
};

test('a value that is not finite is named', () => {
  expect(() => assertFinite('logits', [0, 1, Number.NaN])).toThrow('logits: value 2 is NaN');
  expect(() => assertFinite('logits', [0, Number.POSITIVE_INFINITY])).toThrow(Refusal);
  assertFinite('logits', [0, 1]);
});

describe('an adapter', () => {
  const changed = (opened: NodeDevice): NodeDevice => ({
    ...opened,
    adapter: { info: { ...describe1(opened), device: 'another' } } as unknown as GPUAdapter,
  });
  const describe1 = ({ adapter }: NodeDevice) => {
    const { vendor, architecture, device, description } = adapter.info;
    return { vendor, architecture, device, description };
  };

  test('that changed in between is refused', async () => {
    let opened = 0;
    const session = await Session.start(SETTINGS, async () => {
      const real = await openDevice();
      return ++opened > 1 ? changed(real) : real;
    });
    const name = session.environment.adapter.device;
    await expect(session.use(async () => 1)).rejects.toThrow(
      `the adapter changed during the run: device "${name}" became "another"`,
    );
  });

  test('that is the same is not', async () => {
    const session = await Session.start(SETTINGS);
    expect(await session.use(async () => 1)).toBe(1);
  });

  test('differs by its driver, toggles, features or variant', async () => {
    const { environment: e } = await Session.start(SETTINGS);
    expect(adapterDifference(e, { ...e })).toBeUndefined();
    const other = { ...e.adapter, description: 'driver 6' };
    expect(adapterDifference(e, { ...e, adapter: other })).toMatch(/^description .* "driver 6"$/);
    expect(adapterDifference(e, { ...e, toggles: [] })).toMatch(/^toggles /);
    expect(adapterDifference(e, { ...e, features: [] })).toMatch(/^features /);
    const variant = { ...e.variant, f16: !e.variant.f16 };
    expect(adapterDifference(e, { ...e, variant })).toMatch(/^variant /);
  });
});

describe('a run', () => {
  const suite = (measure: Suite<string>['measure']): Suite<string> => ({
    measure,
    tables: (result) => [[[result]]],
  });
  const good = suite(async () => 'good');

  const ran = async (suites: Readonly<Record<string, Suite<string>>>) => {
    const printed: string[] = [];
    const print = (lines: readonly string[]) => void printed.push(...lines);
    const file = runSuites(Object.keys(suites), SETTINGS, { print, note: () => {}, suites });
    return { error: await file.then(() => undefined, String), printed };
  };

  test('prints a suite that is through', async () => {
    const { error, printed } = await ran({ good });
    expect(error).toBeUndefined();
    expect(printed).toContain('good');
  });

  test('that keeps going lists what failed, and returns the rest', async () => {
    const bad = suite(async () => {
      throw new Refusal('not as it should be');
    });
    const suites = { bad, good };
    const options = { print: () => {}, note: () => {}, suites, keepGoing: true };
    const file = await runSuites(Object.keys(suites), SETTINGS, options);
    expect(file.results).toEqual({ good: 'good' });
    expect(file.failed).toEqual({ bad: 'not as it should be' });
  });

  test('whose device is lost prints nothing of the suite and fails', async () => {
    const lost = suite(async (session) => {
      await session.use(({ device }) => {
        device.destroy();
        return new Promise(() => {});
      });
      return 'never';
    });
    const { error, printed } = await ran({ good, lost });
    expect(error).toMatch(/DeviceError: the GPU device was lost/);
    expect(printed).not.toContain('never');
  });

  test('whose device reports an error fails', async () => {
    const session = await Session.start(SETTINGS);
    const work = session.use(async ({ device }) => {
      device.createBuffer({ size: 16, usage: 0x4000_0000 });
      await device.queue.onSubmittedWorkDone();
      return new Promise(() => {});
    });
    await expect(work).rejects.toThrow(DeviceError);
  });

  test('that is refused ends with 1 and prints no result', () => {
    // There is no such driver file, so asking for the system's adapter alone fails.
    const env = { ...process.env, LLAMAGEN_ADAPTER: 'system', VK_DRIVER_FILES: '/none.json' };
    const { status, stdout, stderr } = bench(['limits'], env);
    expect(stderr).toMatch(/^bench: /m);
    expect([status, stdout]).toEqual([1, '']);
  });
});

function bench(args: readonly string[], env = process.env) {
  const main = join(ROOT, 'bench', 'main.ts');
  const command = ['--import', import.meta.resolve('tsx'), main, ...args];
  return spawnSync(process.execPath, command, { env, encoding: 'utf8' });
}

test.each([
  [
    ['kernel'],
    'no suite "kernel": there are fidelity, limits, kernels, generate, scaling, model, gpu, torch, peers',
  ],
  [['scaling', '--cases', 'GPT-Z'], 'scaling has no case "GPT-Z"; there are'],
  [['generate', '--models', 'Z'], 'Expected some of GPT-B, GPT-L'],
  [['generate', '--grids', '17'], 'Expected some of 16, 24, 32'],
])('%s ends with 2 and lists what there is', (args, message) => {
  const { status, stdout, stderr } = bench([...args, '--runs', '1', '--quick']);
  expect(stderr).toContain(message);
  expect(status).toBe(2);
  expect(stdout).not.toContain('ms');
});
