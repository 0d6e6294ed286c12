/** The snippets of docs/embedding.md run as they are printed, and free what they make. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import * as kernels from '../kernels/index.ts';
import { createEngine, type Engine, loadModel, type Model } from '../src/index.ts';
import * as web from '../src/web/index.ts';
import { testDevice } from './support/device.ts';
import { ROOT } from './support/sources.ts';
import { tinyFolder } from './support/tiny-model.ts';

const guide = readFileSync(join(ROOT, 'docs/embedding.md'), 'utf8');
const snippets = [...guide.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code!);
const device = await testDevice();

const ENTRIES: Readonly<Record<string, object>> = {
  'llamagen-webgpu/web': web,
  'llamagen-webgpu/kernels': kernels,
};

type Scope = Readonly<Record<string, unknown>>;
type AsyncCode = new (...names: string[]) => (...values: unknown[]) => Promise<unknown>;
const AsyncFunction = (async () => {}).constructor as unknown as AsyncCode;

/** Runs a snippet among some values; those it imports may be replaced by them. */
async function run(snippet: string, scope: Scope): Promise<void> {
  const imported: Record<string, unknown> = {};
  const code = snippet.replace(/^import \{(.*)\} from '(.*)';\n/gm, (_, names, entry) => {
    for (const name of names.split(',').map((part: string) => part.trim())) {
      expect(ENTRIES[entry]).toHaveProperty(name);
      imported[name] = Reflect.get(ENTRIES[entry]!, name);
    }
    return '';
  });
  const all = { ...imported, ...scope };
  await new AsyncFunction(...Object.keys(all), code)(...Object.values(all));
}

let model: Model | undefined;
afterAll(() => model?.destroy());

/** An engine with memory for one guided request, which ends with the work. */
async function withEngine(work: (engine: Engine) => Promise<void>): Promise<void> {
  model ??= await loadModel(device, tinyFolder());
  const engine = await createEngine(model, { capacity: 2 });
  await work(engine);
  engine.destroy();
}

test('there are four', () => expect(snippets).toHaveLength(4));

test('opening and freeing, on a device of the app', async () => {
  const made: Model[] = [];
  await run(snippets[0]!, {
    navigator: { gpu: { requestAdapter: async () => adapterOf(device) } },
    openUrl: () => tinyFolder(),
    loadModel: async (...given: Parameters<typeof loadModel>) => {
      made.push(await loadModel(...given));
      return made[0];
    },
  });
  expect(made.map(({ memory }) => memory)).toEqual([{ weights: 0, state: 0, temp: 0, staging: 0 }]);
});

/** What gives a device that is there. */
const adapterOf = ({ features, limits }: GPUDevice) => ({
  features,
  limits,
  requestDevice: async () => device,
});

test('a picture as ImageData, and the same in a texture', async () => {
  const put: { data: Uint8ClampedArray; width: number; height: number }[] = [];
  const context2d = { putImageData: (image: (typeof put)[number]) => put.push(image) };
  class ImageData {
    readonly data: Uint8ClampedArray;
    readonly width: number;
    readonly height: number;
    constructor(data: Uint8ClampedArray, width: number, height: number) {
      [this.data, this.width, this.height] = [data, width, height];
    }
  }
  await withEngine((engine) => run(snippets[1]!, { engine, context2d, ImageData }));
  expect(put).toMatchObject([{ width: 8, height: 8 }]);

  const shown: GPUTexture[] = [];
  const createTexture = (descriptor: GPUTextureDescriptor) =>
    device.createTexture({ ...descriptor, usage: descriptor.usage | GPUTextureUsage.COPY_SRC });
  const drawMyScene = (texture: GPUTexture) => shown.push(texture);
  await withEngine((engine) =>
    run(snippets[2]!, { engine, drawMyScene, device: { createTexture } }),
  );
  expect(await cornerOf(shown[0]!)).toEqual([...put[0]!.data]);
});

/** The upper left 8 x 8 pixels of a texture. */
async function cornerOf(texture: GPUTexture): Promise<number[]> {
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: 256 * 8, usage });
  const encoder = device.createCommandEncoder();
  encoder.copyTextureToBuffer({ texture }, { buffer, bytesPerRow: 256 }, [8, 8]);
  device.queue.submit([encoder.finish()]);
  await buffer.mapAsync(GPUMapMode.READ);
  const bytes = new Uint8Array(buffer.getMappedRange());
  const rows = Array.from({ length: 8 }, (_, y) => [...bytes.subarray(256 * y, 256 * y + 32)]);
  buffer.destroy();
  return rows.flat();
}

test('a kernel alone', async () => {
  const { STORAGE } = GPUBufferUsage;
  const bufferOf = (size: number) => device.createBuffer({ size, usage: STORAGE });
  const [x, gain, out] = [bufferOf(2 * 768 * 4), bufferOf(768 * 4), bufferOf(256 + 2 * 768 * 4)];
  device.pushErrorScope('validation');
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  await run(snippets[3]!, { device, pass, x, gain, out });
  pass.end();
  device.queue.submit([encoder.finish()]);
  expect(await device.popErrorScope()).toBeNull();
  for (const buffer of [x, gain, out]) buffer!.destroy();
});
