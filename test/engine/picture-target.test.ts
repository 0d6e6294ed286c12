/** Pictures that go into textures and buffers of an app: the bits of those that are read, where they belong. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  createEngine,
  createLastingEngine,
  DeviceError,
  decodeInto,
  decodeTokens,
  type EngineEvent,
  type ImageRequest,
  loadModel,
  type Model,
  OptionError,
  type Picture,
  type PictureTarget,
  WeightsError,
} from '../../src/index.ts';
import { openDevice } from '../../src/node/device.ts';
import { testDevice } from '../support/device.ts';
import { tinyFolder } from '../support/tiny-model.ts';

// A software adapter decodes one at a time: here it is to do as GPUs do.
vi.mock(import('../../src/engine/images-a-run.ts'), async (original) => ({
  ...(await original()),
  imagesARun: () => Promise.resolve(8),
}));

const device = await testDevice();
const { COPY_SRC, COPY_DST, TEXTURE_BINDING } = GPUTextureUsage;
const USAGE = COPY_SRC | COPY_DST;
/** What a texture holds before: bytes that no picture of these tests is full of. */
const BEFORE = 0xab;

/** Tokens of a grid, of the 64 codes of the tiny model. */
const gridOf = (length: number, image = 0): Uint32Array =>
  Uint32Array.from({ length }, (_, i) => (7 * i + 13 * image) % 64);

function textureOf(
  width: number,
  height: number,
  more: Partial<GPUTextureDescriptor> = {},
  on: GPUDevice = device,
): GPUTexture {
  const size = [width, height];
  return on.createTexture({ label: 'mine', size, format: 'rgba8unorm', usage: USAGE, ...more });
}

/** Fills a layer of a texture with `BEFORE`. */
function fill(texture: GPUTexture): void {
  const { width, height, depthOrArrayLayers: layers } = texture;
  const bytes = new Uint8Array(4 * width * height * layers).fill(BEFORE);
  const layout = { bytesPerRow: 4 * width, rowsPerImage: height };
  device.queue.writeTexture({ texture }, bytes, layout, [width, height, layers]);
}

/** Bytes of a layer of a texture as they lie in memory, row by row without gaps. */
async function pixelsOf(texture: GPUTexture, layer = 0): Promise<Uint8Array> {
  const { width, height } = texture;
  const bytesPerRow = Math.ceil(width / 64) * 256;
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: bytesPerRow * height, usage });
  const encoder = device.createCommandEncoder();
  const from = { texture, origin: [0, 0, layer] };
  encoder.copyTextureToBuffer(from, { buffer, bytesPerRow }, [width, height]);
  device.queue.submit([encoder.finish()]);
  await buffer.mapAsync(GPUMapMode.READ);
  const all = new Uint8Array(buffer.getMappedRange());
  const rows = Array.from({ length: height }, (_, y) =>
    all.slice(y * bytesPerRow, y * bytesPerRow + 4 * width),
  );
  buffer.destroy();
  return Uint8Array.from(rows.flatMap((row) => [...row]));
}

/** The bytes of a picture, with red and blue changed where a texture wants that. */
const bytesOf = ({ rgba }: Picture, blueFirst = false): Uint8Array =>
  rgba.reduce((out, value, i) => {
    out[blueFirst && i % 2 === 0 ? i ^ 2 : i] = value;
    return out;
  }, new Uint8Array(rgba.length));

async function read(model: Model, grid: readonly [number, number], image = 0): Promise<Picture> {
  const [picture] = await decodeTokens(model, [gridOf(grid[0] * grid[1], image)], { grid });
  return picture!;
}

let model: Model;
beforeAll(async () => {
  model = await loadModel(device, tinyFolder());
});
afterAll(() => model.destroy());

describe('a texture gets the bits of the picture that is read', () => {
  test.each(['rgba8unorm', 'rgba8unorm-srgb', 'bgra8unorm', 'bgra8unorm-srgb'] as const)(
    '%s',
    async (format) => {
      const texture = textureOf(8, 8, { format });
      await decodeInto(model, gridOf(16), { texture });
      const expected = bytesOf(await read(model, [4, 4]), format.startsWith('bgra'));
      expect(await pixelsOf(texture)).toEqual(expected);
      expect(new Set(expected).size).toBeGreaterThan(20);
    },
  );

  // Rows of 256 bytes, and of more; those above have fewer.
  test.each([
    [2, 32],
    [1, 33],
  ] as const)('of %i x %i tokens', async (...grid) => {
    const texture = textureOf(2 * grid[1], 2 * grid[0]);
    await decodeInto(model, gridOf(grid[0] * grid[1]), { texture }, { grid });
    expect(await pixelsOf(texture)).toEqual(bytesOf(await read(model, grid)));
  });

  test('in its place, and nothing else changes', async () => {
    const texture = textureOf(20, 13, { size: [20, 13, 3] });
    fill(texture);
    await decodeInto(model, gridOf(16), { texture, origin: [5, 2, 1] });
    const picture = bytesOf(await read(model, [4, 4]));
    const expected = new Uint8Array(4 * 20 * 13).fill(BEFORE);
    const untouched = expected.slice();
    for (let y = 0; y < 8; y++) {
      expected.set(picture.subarray(32 * y, 32 * y + 32), 4 * (20 * (y + 2) + 5));
    }
    const layers = await Promise.all([0, 1, 2].map((layer) => pixelsOf(texture, layer)));
    expect(layers).toEqual([untouched, expected, untouched]);
  });
});

test('a buffer gets them without gaps, from an offset on', async () => {
  const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
  const buffer = device.createBuffer({ size: 300, usage });
  device.queue.writeBuffer(buffer, 0, new Uint8Array(300).fill(BEFORE));
  await decodeInto(model, gridOf(16), { buffer, offset: 12, texture: undefined } as PictureTarget);
  await buffer.mapAsync(GPUMapMode.READ);
  const expected = new Uint8Array(300).fill(BEFORE);
  expected.set(bytesOf(await read(model, [4, 4])), 12);
  expect(new Uint8Array(buffer.getMappedRange())).toEqual(expected);
  buffer.destroy();
});

test('targets of all kinds and pictures that are read go side by side', async () => {
  const textures = Array.from({ length: 5 }, (_, i) =>
    textureOf(8, 8, { format: i < 3 ? 'rgba8unorm' : 'bgra8unorm' }),
  );
  const made = textures.map((texture, i) => decodeInto(model, gridOf(16, i), { texture }));
  const [, pictures] = await Promise.all([
    Promise.all(made),
    decodeTokens(model, [gridOf(16, 5), gridOf(16, 6)]),
  ]);
  for (const [i, texture] of textures.entries()) {
    expect(await pixelsOf(texture)).toEqual(bytesOf(await read(model, [4, 4], i), i >= 3));
  }
  expect(pictures).toEqual([await read(model, [4, 4], 5), await read(model, [4, 4], 6)]);
});

/** Events of a request by their types. */
async function eventsOf(request: ImageRequest, of: Model = model): Promise<EngineEvent[]> {
  const engine = await createEngine(of, { capacity: 2 });
  try {
    const events: EngineEvent[] = [];
    for await (const event of engine.submit(request)) events.push(event);
    return events;
  } finally {
    engine.destroy();
  }
}

describe('a request', () => {
  const request = { classIndex: 1, seed: 5, cfgScale: 2, previewEvery: 8 };

  test('draws into a texture what it draws otherwise; no pixel is read for it', async () => {
    const texture = textureOf(8, 8);
    const spy = vi.spyOn(GPUCommandEncoder.prototype, 'copyBufferToBuffer');
    const events = await eventsOf({ ...request, previewEvery: undefined, into: { texture } });
    const copied = spy.mock.calls.map(([, , to]) => `${Object(to).label}`);
    spy.mockRestore();
    expect(copied).toContain('flaws');
    expect(copied).not.toContain('pixels');
    const images = events.filter(({ type }) => type === 'image');
    expect(images).toMatchObject([{ picture: undefined }]);
    expect(events.at(-1)).toEqual({ type: 'done' });
    const seen = await eventsOf(request);
    const image = seen.find((event) => event.type === 'image');
    expect(images).toMatchObject([{ tokens: image!.tokens }]);
    expect(await pixelsOf(texture)).toEqual(bytesOf(image!.picture!));
  });

  test('shows previews besides', async () => {
    const events = await eventsOf({ ...request, into: { texture: textureOf(8, 8) } });
    const previews = (all: readonly EngineEvent[]) => all.filter(({ type }) => type === 'preview');
    expect(previews(events)).toHaveLength(1);
    expect(previews(events)).toEqual(previews(await eventsOf(request)));
  });

  test('whose texture is gone when the picture is ready fails alone', async () => {
    const [gone, there] = [textureOf(8, 8), textureOf(8, 8)];
    gone.destroy();
    const made = await Promise.allSettled([
      decodeInto(model, gridOf(16), { texture: gone }),
      decodeInto(model, gridOf(16), { texture: there }),
      eventsOf({ ...request, into: { texture: gone } }),
    ]);
    expect(made.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
    for (const i of [0, 2]) {
      const { reason } = made[i] as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(DeviceError);
      expect(reason.message).toMatch(/^copying a picture into its target: .*"mine"/);
    }
    expect(await pixelsOf(there)).toEqual(bytesOf(await read(model, [4, 4])));
  });
});

describe('is refused with what it has to be:', () => {
  const buffer = device.createBuffer({ size: 300, usage: GPUBufferUsage.COPY_DST });
  const storage = device.createBuffer({ size: 300, usage: GPUBufferUsage.STORAGE });
  const texture = textureOf(8, 8);
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ['nothing', null, /^target: expected an object of options, got null/],
    ['neither', {}, /^"target" expected either "texture" or "buffer", got neither/],
    ['both', { texture, buffer }, /^"target" expected either .* got both/],
    ['another option', { textur: texture }, /there is no option "textur": did you mean "texture"/],
    ['no texture', { texture: buffer }, /^"texture" expected a GPUTexture, got GPUBuffer/],
    ['no buffer', { buffer: texture }, /^"buffer" expected a GPUBuffer, got GPUTexture/],
    ['an offset into a texture', { texture, offset: 4 }, /"offset" is for a buffer/],
    ['an origin in a buffer', { buffer, origin: [0, 0] }, /"origin" is for a texture/],
    ['an origin of one number', { texture, origin: [0] }, /"origin" expected \[x, y\]/],
    ['an origin below 0', { texture, origin: [-1, 0] }, /"origin" expected \[x, y\]/],
    [
      'another format',
      { texture: textureOf(8, 8, { format: 'rgba16float' }) },
      /one of the formats rgba8unorm, .*bgra8unorm-srgb, got "rgba16float"/,
    ],
    [
      'three dimensions',
      { texture: textureOf(8, 8, { dimension: '3d' }) },
      /the dimension "2d", got "3d"/,
    ],
    [
      'several samples',
      {
        texture: textureOf(8, 8, {
          sampleCount: 4,
          usage: GPUTextureUsage.RENDER_ATTACHMENT | COPY_DST,
        }),
      },
      /to have one sample, got 4/,
    ],
    [
      'another usage',
      { texture: textureOf(8, 8, { usage: TEXTURE_BINDING }) },
      /the usage COPY_DST, got 4/,
    ],
    [
      'too small',
      { texture: textureOf(7, 8) },
      /a picture of 8 x 8 pixels at \[0, 0\], got "7 x 8"/,
    ],
    ['beyond its edge', { texture, origin: [0, 1] }, /8 x 8 pixels at \[0, 1\], got "8 x 8"/],
    ['beyond its layers', { texture, origin: [0, 0, 1] }, /to have a layer 1, got 1/],
    ['a buffer of another usage', { buffer: storage }, /a buffer with the usage COPY_DST, got 128/],
    ['half a word', { buffer, offset: 2 }, /an "offset" that is a multiple of 4, got 2/],
    [
      'a small buffer',
      { buffer, offset: 48 },
      /a buffer with 256 bytes for 8 x 8 pixels from 48 on, got 300/,
    ],
  ];

  test.each(cases)('%s', async (_, target, message) => {
    // What the device itself refuses is told nobody here.
    device.pushErrorScope('validation');
    const asked = decodeInto(model, gridOf(16), target as PictureTarget);
    await expect(asked).rejects.toThrow(message);
    await expect(asked).rejects.toBeInstanceOf(OptionError);
    await device.popErrorScope();
  });

  test('by `submit` too, at once', async () => {
    const engine = await createEngine(model, { capacity: 2 });
    const into = { texture: textureOf(7, 8) };
    expect(() => engine.submit({ classIndex: 1, into })).toThrow(
      /^"into": the texture is expected/,
    );
    expect(() => engine.submit({ classIndex: 1, into: { texture }, pixels: false })).toThrow(
      '"into" needs pixels, and "pixels" is false',
    );
    engine.destroy();
  });

  test('by a lasting engine, whose devices change', async () => {
    const close = (): void => {};
    const engine = await createLastingEngine(async () => ({ model, close }), { capacity: 2 });
    const into = { texture };
    expect(() => engine.submit({ classIndex: 1, into } as ImageRequest)).toThrow(
      /^"into" is of one device, and a lasting engine may go on on another/,
    );
    engine.destroy();
  });

  test('other grids, codes and options', async () => {
    const target = { texture };
    await expect(decodeInto(model, gridOf(15), target)).rejects.toThrow(/= 16 tokens, got 15/);
    await expect(decodeInto(model, [...gridOf(15), 64], target)).rejects.toThrow(/token 15 is 64/);
    await expect(decodeInto(model, gridOf(16), target, { gird: 1 } as object)).rejects.toThrow(
      /decodeInto: there is no option "gird": did you mean "grid"/,
    );
  });
});

test('a texture of another device is refused by the device', async () => {
  const other = await openDevice({ tuned: false });
  const texture = textureOf(8, 8, {}, other.device);
  const asked = decodeInto(model, gridOf(16), { texture });
  await expect(asked).rejects.toThrow(/^copying a picture into its target: /);
  await expect(asked).rejects.toMatchObject({ name: 'DeviceError', problem: 'validation' });
  other.close();
});

test('a target is left alone where pixels are not finite, and the others get theirs', async () => {
  const broken = await loadModel(
    device,
    tinyFolder({
      vq: { codebook_l2_norm: false },
      change: (name, values) => {
        if (name === 'quantize.embedding.weight') values.fill(1e30, 8 * 5, 8 * 5 + 8);
      },
    }),
  );
  const textures = [textureOf(8, 8), textureOf(8, 8)];
  for (const texture of textures) fill(texture);
  const made = await Promise.allSettled(
    [5, 1].map((code, i) =>
      decodeInto(broken, new Uint32Array(16).fill(code), { texture: textures[i]! }),
    ),
  );
  const { reason } = made[0] as PromiseRejectedResult;
  expect(reason).toBeInstanceOf(WeightsError);
  const same = await decodeTokens(broken, [new Uint32Array(16).fill(5)]).catch((error) => error);
  expect(reason.message).toBe(same.message);
  expect(made[1]).toMatchObject({ status: 'fulfilled' });
  expect(await pixelsOf(textures[0]!)).toEqual(new Uint8Array(256).fill(BEFORE));
  expect(await pixelsOf(textures[1]!)).not.toEqual(new Uint8Array(256).fill(BEFORE));
  broken.destroy();
});

test('an aborted call draws nothing, and neither does one of a destroyed model', async () => {
  const texture = textureOf(8, 8);
  fill(texture);
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  await expect(decodeInto(model, gridOf(16), { texture }, { signal })).rejects.toBe(reason);
  const gone = await loadModel(device, tinyFolder());
  await decodeInto(gone, gridOf(16), { texture: textureOf(8, 8) });
  expect(gone.memory.temp).toBeGreaterThan(0);
  gone.destroy();
  expect(gone.memory).toEqual({ weights: 0, state: 0, temp: 0, staging: 0 });
  await expect(decodeInto(gone, gridOf(16), { texture })).rejects.toMatchObject({
    name: 'DeviceError',
    problem: 'destroyed',
  });
  expect(await pixelsOf(texture)).toEqual(new Uint8Array(256).fill(BEFORE));
});
