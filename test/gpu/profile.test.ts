/** The profiler sees every dispatch of a program. */
import { afterAll, expect, test } from 'vitest';
import { rmsNorm } from '../../kernels/rms-norm.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { profile } from '../../src/gpu/profile.ts';
import { build } from '../../src/gpu/program.ts';
import { Graph } from '../../src/graph/graph.ts';
import { testDevice } from '../support/device.ts';

const device = await testDevice();
const memory = new Memory(device);
afterAll(() => memory.freeAll());

test.runIf(device.features.has('timestamp-query'))('times add up by kernel', async () => {
  const g = new Graph();
  const gain = g.state('gain', 'f32', [256]);
  let x = g.state('x', 'f32', [64, 256]);
  const kernel = rmsNorm({ rows: 64, dim: 256 });
  for (let i = 0; i < 3; i++) x = g.call(kernel, { x, gain }).out;
  const program = await build(memory, g, { weights: new Map() });
  const times = await profile(memory, program);
  expect(times).toHaveLength(1);
  expect(times?.[0]).toMatchObject({ label: kernel.label, dispatches: 3 });
  expect(times?.[0]?.us).toBeGreaterThan(0);
  expect(memory.use.staging).toBe(0);
});
