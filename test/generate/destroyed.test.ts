/** A model or a device that is gone is an error at once, never a black picture; and nothing of it stays. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test, vi } from 'vitest';
import { scoreTokens } from '../../src/generate/score.ts';
import { decodeTokens, generate, loadModel, type Model, tokenLoop } from '../../src/index.ts';
import { openDevice } from '../../src/node/device.ts';
import { testDevice } from '../support/device.ts';
import { nullDevice } from '../support/null-device.ts';
import { TINY_CLASSES, tinyFolder } from '../support/tiny-model.ts';

// On software adapters that share their processor with other tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const device = await testDevice();
const load = (on: GPUDevice = device): Promise<Model> => loadModel(on, tinyFolder());

const destroyed = {
  name: 'DeviceError',
  problem: 'destroyed',
  message: 'the model tiny was destroyed: load it again to use it',
};
const lost = {
  name: 'DeviceError',
  problem: 'lost',
  message: expect.stringMatching(/the GPU device was lost: it was destroyed; open it and load/),
};

const GRID = new Array(16).fill(0);
const uses: [string, (model: Model) => Promise<unknown>][] = [
  ['generate', (model) => generate(model, { classes: [0] })],
  ['decodeTokens', (model) => decodeTokens(model, [GRID])],
  ['scoreTokens', (model) => scoreTokens(model.gpt, [{ label: 0, tokens: GRID }])],
  ['tokenLoop', (model) => tokenLoop(model.gpt, { sequences: 1, guided: false })],
];

describe('a destroyed model', () => {
  test('rejects every use, with and without programs of its own', async () => {
    const [fresh, used] = [await load(), await load()];
    for (const [, use] of uses) await use(used);
    const loop = await tokenLoop(used.gpt, { sequences: 1, guided: false });
    fresh.destroy();
    used.destroy();
    for (const [name, use] of uses) {
      await expect(use(fresh), name).rejects.toMatchObject(destroyed);
      await expect(use(used), name).rejects.toMatchObject(destroyed);
    }
    expect(() => loop.start([])).toThrow(destroyed.message);
    await expect(loop.run(1)).rejects.toMatchObject(destroyed);
    await expect(loop.readTokens()).rejects.toMatchObject(destroyed);
    for (const { memory } of [fresh, used]) {
      expect(memory).toEqual({ weights: 0, state: 0, temp: 0, staging: 0 });
    }
  });

  test.each(['compile', 'tokens', 'decode'] as const)(
    'ends what runs and what waits, in the phase %s',
    async (phase) => {
      const model = await load();
      const other = await load();
      let told = 0;
      const running = generate(model, {
        classes: TINY_CLASSES,
        batch: 1,
        onProgress(progress) {
          if (told > 0) told++;
          if (progress.phase === phase && progress.done > 0 && told === 0) {
            told = 1;
            model.destroy();
          }
        },
      });
      const waiting = generate(model, { classes: [1] });
      const beside = generate(other, { classes: [2] });
      await expect(running).rejects.toMatchObject(destroyed);
      await expect(waiting).rejects.toMatchObject(destroyed);
      expect((await beside).images).toHaveLength(1);
      expect(model.memory).toEqual({ weights: 0, state: 0, temp: 0, staging: 0 });
      other.destroy();
    },
  );
});

/** Makes an error on a device that nobody catches, and waits until it is reported. */
async function makeStray(on: GPUDevice): Promise<void> {
  const reported = new Promise((resolve) => {
    on.addEventListener('uncapturederror', resolve, { once: true });
  });
  on.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
  await reported;
}

// One device for both, because each compiles anew.
test('a device that ends in the middle of a run fails it and all later uses, and leaves nothing', async () => {
  const life = async (): Promise<Record<string, WeakRef<object>>> => {
    const { device: own, adapter, close } = await openDevice({ tuned: false });
    const model = await load(own);
    const loop = await tokenLoop(model.gpt, { sequences: 1, guided: false });

    const running = generate(model, {
      classes: TINY_CLASSES,
      onProgress: ({ phase, done }) => {
        if (phase === 'decode' && done > 0) close();
      },
    });
    await expect(running).rejects.toMatchObject(lost);
    for (const [name, use] of uses) await expect(use(model), name).rejects.toMatchObject(lost);
    await expect(load(own)).rejects.toMatchObject(lost);

    const [step] = loop.program.steps;
    const weights = model.gpt.weights.values().next().value?.buffer;
    const parts = { own, adapter, model, loop, memory: model.gpt.memory, weights };
    const of = { ...parts, pipeline: step?.pipeline, group: step?.group };
    return Object.fromEntries(Object.entries(of).map(([name, o]) => [name, new WeakRef(o!)]));
  };
  const refs = await life();
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const left = () => Object.keys(refs).filter((name) => refs[name]?.deref());
  for (let i = 0; i < 10 && left().length > 0; i++) {
    // What was looked at lives until the next turn.
    await new Promise((resolve) => setTimeout(resolve, 20));
    gc();
  }
  expect(left()).toEqual([]);
});

test('stray errors reject the next use of a device of ours, and are said on standard error', async () => {
  const { device: own, close } = await openDevice({ tuned: false });
  const model = await load(own);
  const said = vi.spyOn(console, 'error').mockImplementation(() => {});
  await makeStray(own);
  const asked = generate(model, { classes: [0] });
  await expect(asked).rejects.toMatchObject({ name: 'DeviceError', problem: 'validation' });
  await expect(asked).rejects.toThrow(/^the device reported an error: /);
  expect(said.mock.calls.flat().join()).toMatch(/^WebGPU: /);
  said.mockRestore();
  expect(await model.gpt.exclusive(async () => 'usable again')).toBe('usable again');
  close();
});

test("stray errors of an app on its own device are the app's business", async () => {
  const app = await nullDevice();
  app.addEventListener('uncapturederror', (event) => event.preventDefault());
  const model = await load(app);
  await makeStray(app);
  expect(await model.gpt.exclusive(async () => 'usable')).toBe('usable');
  model.destroy();
});

test('a device that is closed between two uses fails the next at once', async () => {
  const { device: own, close } = await openDevice({ tuned: false });
  const model = await load(own);
  close();
  await expect(generate(model, { classes: [0] })).rejects.toMatchObject(lost);
});
