/** The examples run, and the README shows them as they are. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { drawThree } from '../examples/engine.ts';
import { normalise } from '../examples/one-kernel.ts';
import { Memory } from '../src/gpu/memory.ts';
import { readBuffer } from '../src/gpu/readback.ts';
import { loadModel } from '../src/index.ts';
import { downsampleOf } from '../src/models/vq-config.ts';
import { expectClose } from './oracle/compare.ts';
import { rmsNorm } from './oracle/rms-norm.ts';
import { testDevice } from './support/device.ts';
import { snippet } from './support/examples.ts';
import { normal } from './support/random.ts';
import { ROOT } from './support/sources.ts';
import { tinyFolder } from './support/tiny-model.ts';
import { writeTinyTextFolder } from './support/tiny-text-model.ts';

test('one kernel on a device of your own', async () => {
  const device = await testDevice();
  const [x, gain] = [normal(2 * 64, 1), normal(64, 2)];
  const out = await readBuffer(new Memory(device), await normalise(device, x, gain));
  const expected = rmsNorm({ rows: 2, dim: 64, eps: 1e-5 }, { x, gain });
  expectClose('one-kernel', new Float32Array(out), expected, { nmse: 1e-12, max: 1e-5 });
});

test('three requests in one engine', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const model = await loadModel(await testDevice(), tinyFolder());
  await drawThree(model, new Uint32Array(8));
  const { blockSize } = model.config.gpt;
  const pixels = blockSize * downsampleOf(model.config.vq) ** 2 * 4;
  const told = log.mock.calls.filter(([tokens]) => tokens instanceof Uint32Array);
  expect(told.map(([tokens, rgba]) => [tokens.length, rgba.length])).toEqual(
    Array(3).fill([blockSize, pixels]),
  );
  log.mockRestore();
  model.destroy();
});

/**
 * Runs an example, which writes pictures.
 * @returns What it printed.
 */
function runExample(
  name: string,
  pictures: readonly string[],
  asked: readonly string[] = [],
): string {
  const cwd = mkdtempSync(join(tmpdir(), 'llamagen-example-'));
  const example = join(ROOT, 'examples', `${name}.ts`);
  const args = ['--import', import.meta.resolve('tsx'), example, ...asked];
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  for (const picture of pictures) {
    expect(readFileSync(join(cwd, picture)).subarray(1, 4).toString()).toBe('PNG');
  }
  rmSync(cwd, { recursive: true });
  return stdout;
}

test('one kernel in Node', () => {
  const [of1to4, alike] = [[0.032, 0.087, 0.237, 0.644], Array(4).fill(0.25)];
  const shares = [...of1to4, ...alike].map((share) => share.toFixed(3));
  expect(runExample('kernel-in-node', [])).toBe(`${shares.join(' ')}\n`);
});

test('generating in Node', () => runExample('generate', ['image-1.png', 'image-2.png']));

test('drawing texts in Node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-example-model-'));
  writeTinyTextFolder(folder);
  const prompts = ['two lemon', 'a cat'];
  runExample('texts', ['text-0.png', 'text-1.png'], [folder, ...prompts]);
  rmSync(folder, { recursive: true });
});

test.each([
  ['README.md', 'generate'],
  ['README.md', 'browser'],
  ['README.md', 'worker/page'],
  ['README.md', 'engine'],
  ['README.md', 'one-kernel'],
  ['docs/text-to-image.md', 'texts'],
])('%s shows %s', (file, name) => {
  const readme = readFileSync(join(ROOT, file), 'utf8');
  expect(readme).toContain(snippet(name));
});
