/** Pictures of one run of the decoder: who goes with whom, and the same bits as alone. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { imageDecoder } from '../../src/engine/images.ts';
import { pictureQueue } from '../../src/engine/picture-queue.ts';
import { DeviceError } from '../../src/errors.ts';
import {
  decodeTokens,
  generate,
  type LoadOptions,
  loadModel,
  type Model,
  WeightsError,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { few } from '../support/few.ts';
import { tinyFolder } from '../support/tiny-model.ts';

// A software adapter takes one: here it is to do as GPUs do.
vi.mock(import('../../src/engine/images-a-run.ts'), async (original) => ({
  ...(await original()),
  imagesARun: () => Promise.resolve(8),
}));

const GRID = [4, 4] as const;
const grids = Array.from({ length: 5 }, (_, image) =>
  Uint32Array.from({ length: 16 }, (_, i) => (7 * i + 13 * image) % 64),
);

const opened: Model[] = [];
async function tiny(...[folder, options]: [Parameters<typeof tinyFolder>[0]?, LoadOptions?]) {
  const made = await loadModel(await testDevice(), tinyFolder(folder), options);
  opened.push(made);
  return made;
}

let model: Model;
beforeAll(async () => {
  model = await tiny();
});
afterAll(() => {
  for (const each of opened) each.destroy();
});

/** How often the pixels of a run were asked for. */
async function runs(work: () => Promise<unknown>): Promise<number> {
  const spy = vi.spyOn(GPUCommandEncoder.prototype, 'copyBufferToBuffer');
  try {
    await work();
    return spy.mock.calls.filter(([, , staging]) => `${Object(staging).label}` === 'pixels').length;
  } finally {
    spy.mockRestore();
  }
}

/** With barriers convolutions are made without, which this adapter takes too long for. */
const WITH_BARRIERS = {
  variant: { reduce: 'workgroup' },
  tiles: { conv: { method: 'direct' } },
} as const;

test.each([undefined, ...few(0, [WITH_BARRIERS])])(
  'have the bits of each alone, %o',
  async (options) => {
    const { vq } = options ? await tiny({}, options) : model;
    const single = await imageDecoder(vq, GRID);
    const several = await imageDecoder(vq, GRID, 3);
    const together = await several.run(grids.slice(0, 3));
    for (const [i, picture] of together.entries()) {
      expect(picture).toEqual(await single.decode(grids[i] ?? []));
    }
  },
);

test('five grids are a run of four and one of one, in their order', async () => {
  let pictures: unknown[] = [];
  const count = await runs(async () => {
    pictures = await decodeTokens(model, grids);
  });
  expect(count).toBe(2);
  const alone = await Promise.all(grids.map((grid) => decodeTokens(model, [grid])));
  expect(pictures).toEqual(alone.flat());
});

test('images that become full at one step are one run', async () => {
  expect(await runs(() => generate(model, { classes: [0, 1, 2, 3], cfgScale: 1 }))).toBe(1);
});

test('grids of two sizes are not mixed', async () => {
  const queue = pictureQueue(model.vq);
  const decode = (grid: readonly [number, number], index: number) =>
    queue.decode({ grid, tokens: (grids[0] ?? []).slice(0, grid[0] * grid[1]), index });
  const all = await Promise.all([decode(GRID, 0), decode([2, 3], 1), decode(GRID, 2)]);
  expect(all.map(({ width, height }) => [width, height])).toEqual([
    ...[
      [8, 8],
      [6, 4],
      [8, 8],
    ],
  ]);
  expect(all[0]).toEqual(all[2]);
});

test('one that is not finite fails alone', async () => {
  const code = 5;
  const broken = await tiny({
    vq: { codebook_l2_norm: false },
    change: (name, values) => {
      if (name === 'quantize.embedding.weight') values.fill(1e30, 8 * code, 8 * code + 8);
    },
  });
  const queue = pictureQueue(broken.vq);
  const tokens = [1, code, 2, 3].map((token) => new Uint32Array(16).fill(token));
  const all = await Promise.allSettled(
    tokens.map((grid, index) => queue.decode({ grid: GRID, tokens: grid, index })),
  );
  expect(all.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ]);
  expect((all[1] as PromiseRejectedResult).reason).toBeInstanceOf(WeightsError);
  expect(String((all[1] as PromiseRejectedResult).reason)).toContain('image 1');
});

test('one that fails before its turn leaves no work behind for others', async () => {
  const device = await testDevice();
  const told = new Promise((resolve) => {
    device.addEventListener('uncapturederror', resolve, { once: true });
  });
  // An error that nobody caught, which the next piece of work is told.
  const both = GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE; // exclude each other
  device.createBuffer({ size: 4, usage: both });
  await told;
  const queue = pictureQueue(model.vq);
  const decode = (grid: readonly [number, number], index: number) =>
    queue.decode({ grid, tokens: (grids[0] ?? []).slice(0, grid[0] * grid[1]), index });
  const [failed, other] = await Promise.allSettled([decode([2, 3], 0), decode(GRID, 1)]);
  expect(failed).toMatchObject({ status: 'rejected', reason: { problem: 'validation' } });
  expect(other).toMatchObject({ status: 'fulfilled', value: { width: 8 } });
  expect(await decode([3, 3], 2)).toMatchObject({ width: 6, height: 6 });
});

test('where there is no memory for many, fewer are decoded at once', async () => {
  const fresh = await tiny();
  const { memory } = fresh.vq;
  const create = memory.create.bind(memory);
  vi.spyOn(memory, 'create').mockImplementation((kind, label, size, usage) => {
    // The codes of more than two grids.
    if (label === 'codes' && size > 2 * 16 * 4) throw new DeviceError('out-of-memory', 'no room');
    return create(kind, label, size, usage);
  });
  expect(await runs(() => decodeTokens(fresh, grids.slice(0, 4)))).toBe(2);
  expect(await pictureQueue(fresh.vq).most(GRID)).toBe(2);
});
