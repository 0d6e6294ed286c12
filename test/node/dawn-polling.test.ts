/** Dawn asks whether its work is done, and leaves the processor to it meanwhile. */
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { askGently, gentle } from '../../src/node/dawn-polling.ts';
import { openDevice } from '../../src/node/device.ts';

/** A function as an addon makes them: no name, no text. */
const native = (work: () => void): (() => void) => new Proxy(work, {});

/** What was asked for in a world of its own: at once, or after a pause. */
function world() {
  const asked: string[] = [];
  const queue: (() => void)[] = [];
  let time = 0;
  const put =
    (how: string) =>
    (callback: () => void): void => {
      asked.push(how);
      queue.push(callback);
    };
  const immediate = gentle(put('at once'), { now: () => time, later: put('later') });
  const pass = (ms: number): void => {
    time += ms;
    queue.shift()?.();
  };
  return { asked, immediate, pass };
}

test('what takes long is asked for with pauses, and what is new at once', () => {
  const { asked, immediate, pass } = world();
  let left = 6;
  const poll = native(() => {
    if (--left > 0) immediate(poll);
  });
  immediate(poll);
  for (let i = 0; i < 6; i++) pass(0.7);
  expect(asked).toEqual(['at once', 'at once', 'at once', 'later', 'later', 'later']);
  asked.length = 0;
  immediate(native(() => {}));
  expect(asked).toEqual(['at once']);
});

test('functions of others come at once, however long they go on', () => {
  const { asked, immediate, pass } = world();
  let left = 3;
  const again = (): void => {
    if (--left > 0) immediate(again);
  };
  immediate(again);
  for (let i = 0; i < 3; i++) pass(10);
  immediate((() => {}).bind(undefined));
  immediate(
    native(() => {}),
    'with a value',
  );
  expect(asked).toEqual(['at once', 'at once', 'at once', 'at once', 'at once']);
});

test('the global function is the own one again when the last user is gone', async () => {
  const before = globalThis.setImmediate;
  const [first, second] = [askGently(), askGently()];
  expect(globalThis.setImmediate).not.toBe(before);
  expect(await promisify(setImmediate)('value')).toBe('value');
  await new Promise<void>((resolve) => setImmediate(resolve));
  let isCalled = false;
  clearImmediate(
    setImmediate(() => {
      isCalled = true;
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 2));
  expect(isCalled).toBe(false);
  first();
  first();
  expect(globalThis.setImmediate).not.toBe(before);
  second();
  expect(globalThis.setImmediate).toBe(before);
});

test('a software adapter has the processor to itself', async () => {
  const { setImmediate: before } = globalThis;
  let asked = 0;
  globalThis.setImmediate = Object.assign((...args: Parameters<typeof before>) => {
    asked++;
    return before(...args);
  }, before);
  const { device, software, close } = await openDevice({ adapter: 'swiftshader', tuned: false });
  expect(software).toBe(true);
  const module = device.createShaderModule({
    code: `@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  var sum = id.x;
  for (var i = 0u; i < 20000u; i++) { sum = sum * 1664525u + i; }
  out[id.x] = sum;
}`,
  });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  const buffer = device.createBuffer({ size: 2 ** 16 * 4, usage: GPUBufferUsage.STORAGE });
  const entries = [{ binding: 0, resource: { buffer } }];
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(2 ** 10);
  pass.end();
  device.queue.submit([encoder.finish()]);
  asked = 0;
  const begun = performance.now();
  await device.queue.onSubmittedWorkDone();
  const ms = performance.now() - begun;
  close();
  globalThis.setImmediate = before;
  // Without pauses it would be some forty each millisecond.
  expect(ms).toBeGreaterThan(50);
  expect(asked / ms).toBeLessThan(10);
});
