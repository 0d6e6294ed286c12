/** Devices without Dawn's validation: what they compile was accepted by one with it, once. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { pipelineFor } from '../../src/gpu/pipelines.ts';
import { variantOf } from '../../src/gpu/variants.ts';
import { openDevice } from '../../src/node/device.ts';
import { openUnvalidated } from '../../src/node/unvalidated.ts';
import { nullAdapter } from '../support/null-device.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-accepted-'));
  path = join(folder, 'cache', 'accepted.json');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const kernelOf = (dim: number) => rmsNorm({ rows: 1, dim });

/** A program's life: it opens a device, compiles norms at once, and ends. */
async function run(dims: readonly number[], file = path, toggles: readonly string[] = []) {
  const validating = await nullAdapter();
  const judged = vi.spyOn(validating, 'requestDevice');
  const fast = await nullAdapter({ validation: false });
  const { device, matrices, close } = await openUnvalidated({ validating, fast, toggles }, file);
  await Promise.all(dims.map((dim) => pipelineFor(device, kernelOf(dim))));
  close();
  expect((await device.lost).reason).toBe('destroyed');
  return { device, matrices, judged: judged.mock.calls.length };
}

describe('a device without validation', () => {
  test('has every kernel accepted by one with it, which later runs need for new ones only', async () => {
    expect((await run([4, 8])).judged).toBe(1);
    expect((await run([8, 4])).judged).toBe(0);
    expect((await run([4, 12])).judged).toBe(1);
    expect((await run([4, 8, 12])).judged).toBe(0);
  });

  test('does not compile what is refused, and refuses it again', async () => {
    const code = kernelOf(4).code.replace('fn main', 'fn main main');
    const validating = await nullAdapter();
    const fast = await nullAdapter({ validation: false });
    const { device, close } = await openUnvalidated({ validating, fast, toggles: [] }, path);
    const made = vi.spyOn(device, 'createShaderModule');
    for (let again = 0; again < 2; again++) {
      await expect(pipelineFor(device, { ...kernelOf(4), code })).rejects.toThrow(/main main/);
    }
    expect(made).not.toHaveBeenCalled();
    expect(existsSync(path)).toBe(false);
    close();
  });

  test('knows the matrices that were tried on the other, without trying them again', async () => {
    for (const judged of [1, 0]) {
      const { device, matrices, judged: opened } = await run(judged ? [4] : []);
      expect(opened).toBe(judged);
      expect(matrices.note).toMatch(/matrix units are left alone/); // they compute nothing there
      expect(variantOf(device).matrix).toBeUndefined();
    }
  });

  test('has all accepted again under other flags, or where the file is broken', async () => {
    await run([4]);
    expect((await run([4], path, ['other'])).judged).toBe(1);
    expect((await run([4])).judged).toBe(0);
    for (const text of ['{', '{"format":"llamagen-accepted-0","adapters":{}}', '[]']) {
      writeFileSync(path, text);
      expect((await run([4])).judged).toBe(1);
      expect(JSON.parse(readFileSync(path, 'utf8')).format).toBe('llamagen-accepted-1');
    }
  });

  test('is let go of where the one with validation cannot be had', async () => {
    const validating = await nullAdapter();
    await validating.requestDevice(); // an adapter gives one device
    const fast = await nullAdapter({ validation: false });
    const made = vi.spyOn(fast, 'requestDevice');
    await expect(openUnvalidated({ validating, fast, toggles: [] }, path)).rejects.toThrow();
    const device = await made.mock.results[0]?.value;
    expect((await device.lost).reason).toBe('destroyed');
  });

  test('works where nothing can be kept', async () => {
    writeFileSync(join(folder, 'file'), '');
    const nowhere = join(folder, 'file', 'accepted.json');
    for (let again = 0; again < 2; again++) expect((await run([4], nowhere)).judged).toBe(1);
  });
});

describe('openDevice', () => {
  test('validates, on software adapters always', async () => {
    for (const validation of [undefined, false]) {
      const opened = await openDevice({ validation, tuned: false, adapter: 'swiftshader' });
      expect(opened.validation).toBe(true);
      opened.close();
    }
  });

  test('can be made not to by a variable, and checks copies itself', async () => {
    vi.stubEnv('LLAMAGEN_VALIDATION', '0');
    vi.stubEnv('LLAMAGEN_CACHE', folder);
    const { device, validation, toggles, close } = await openDevice({ tuned: false });
    expect(validation).toBe(false);
    expect(toggles.join()).not.toContain('skip_validation'); // tiles are those of the other
    const gone = device.createBuffer({ size: 4, usage: GPUBufferUsage.COPY_SRC });
    gone.destroy();
    device.pushErrorScope('validation');
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(gone, 0, gone, 0, 4);
    device.queue.submit([encoder.finish()]);
    expect((await device.popErrorScope())?.message).toMatch(/used in submit while destroyed/);
    close();
    expect((await device.lost).reason).toBe('destroyed');
  });
});
