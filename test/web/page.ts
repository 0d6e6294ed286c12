/** What browser.test.ts calls in the browser: the public API, and the checks of the golden runner. */
import { tilesOf } from '../../src/tune/table.ts';
import {
  generate,
  generateFromPrompts,
  loadModel,
  loadTextModel,
  openUrl,
  openWebDevice,
} from '../../src/web/index.ts';
import { tunedTiles, tuneModel } from '../../src/web/tune.ts';
import { decodeF32, isWeightDType } from '../../src/weights/convert.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import type { GoldenCase, GoldenTensor } from '../golden-runner/case.ts';
import type { Check } from '../golden-runner/check.ts';
import { runGpt } from '../golden-runner/gpt.ts';
import { runVq } from '../golden-runner/vq.ts';

export interface PageApi {
  /** Vendor and architecture of the adapter. */
  adapter(): Promise<string>;
  golden(name: string, atol: Readonly<Record<string, number>>): Promise<readonly Check[]>;
  /** Tokens and pixels of one greedy image. */
  generate(
    model: string,
    classIndex: number,
    window: number,
  ): Promise<{ tokens: number[]; rgba: number[] }>;
  /** Tokens of one greedy image of each prompt, and how the prompts were read. */
  draw(model: string, prompts: readonly string[]): Promise<{ tokens: number[]; text: string }[]>;
  /**
   * How many kernels were measured and are known, the tiles that are better, and those that
   * another device is given.
   */
  tune(model: string): Promise<{
    measured: number;
    known: number;
    tiles: object;
    again: object;
  }>;
}

const opened = openWebDevice();

const api: PageApi = {
  async adapter() {
    const { vendor, architecture } = (await opened).adapter.info;
    return `${vendor} ${architecture}`;
  },
  async golden(name, atol) {
    const { device } = await opened;
    const golden = await openCase(name, atol);
    return golden.kind === 'vq' ? runVq(device, golden) : runGpt(device, golden);
  },
  async generate(folder, classIndex, window) {
    const { device } = await opened;
    const model = await loadModel(device, openUrl(folder));
    const { images } = await generate(model, { classes: [classIndex], greedy: true, window });
    model.destroy();
    const [image] = images;
    return { tokens: Array.from(image?.tokens ?? []), rgba: Array.from(image?.rgba ?? []) };
  },
  async draw(folder, prompts) {
    const { device } = await opened;
    const text = await loadTextModel(device, openUrl(folder));
    const model = await loadModel(device, openUrl(folder));
    const made = await generateFromPrompts(model, text, prompts, { greedy: true });
    text.destroy();
    model.destroy();
    return made.images.map(({ tokens }, i) => ({
      tokens: Array.from(tokens),
      text: made.captions[i]?.text ?? '',
    }));
  },
  async tune(folder) {
    const { device, close } = await openWebDevice();
    const model = await loadModel(device, openUrl(folder));
    const product = () => [{ units: 1 }];
    let measured = 0;
    const onProgress = (_: number, total: number): void => {
      measured = total;
    };
    const tuned = await tuneModel(model, { rows: [1], families: { product }, onProgress });
    const next = await openWebDevice();
    const again = await tunedTiles(next.device);
    close();
    next.close();
    const known = Object.keys(tuned).length;
    return { measured, known, tiles: tilesOf(tuned), again };
  },
};
Object.assign(globalThis, { api });

async function openCase(name: string, atol: Readonly<Record<string, number>>): Promise<GoldenCase> {
  const folder = `/test/golden/${name}`;
  const files = openUrl(folder);
  const config = await (await fetch(`${folder}/config.json`)).json();
  const model = await openSafetensors(await files.open('model.safetensors'));
  const { tensors } = await openSafetensors(await files.open('expected.safetensors'));
  const expected = new Map<string, GoldenTensor>();
  for (const { source, name: tensor, dtype, shape, offset, byteLength } of tensors.values()) {
    const bytes = await source.read(offset, byteLength);
    const data = isWeightDType(dtype) ? decodeF32(dtype, bytes) : new Int32Array(bytes.buffer);
    expected.set(tensor, { shape, data });
  }
  const tolerance = (tensor: string): number => atol[tensor] ?? 0;
  return {
    name,
    kind: config.kind,
    folder,
    config,
    expected,
    model,
    atol: tolerance,
    fastAtol: () => undefined,
  };
}
