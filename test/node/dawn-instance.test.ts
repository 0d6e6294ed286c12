/** Instances of Dawn stay, whatever becomes of the modules that made them. */
import { expect, test, vi } from 'vitest';

const kept = (): readonly GPU[] => [
  ...((Reflect.get(globalThis, Symbol.for('llamagen-webgpu instances of Dawn')) ?? []) as Set<GPU>),
];

async function openOnce(): Promise<void> {
  const { openDevice } = await import('../../src/node/device.ts');
  const { close } = await openDevice({ adapter: 'swiftshader', tuned: false });
  close();
}

test('one is used again, and outlives the module that made it', async () => {
  await openOnce();
  await openOnce();
  const [first, ...others] = kept();
  expect([first === undefined, others]).toEqual([false, []]);
  vi.resetModules();
  await openOnce();
  expect(kept()).toHaveLength(2);
  expect(kept()[0]).toBe(first);
});
