/** Images that are given one by one: the same ones, as early as can be, with the model free between. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type GeneratedImage,
  generate,
  generateImages,
  loadModel,
  type Model,
  type Preview,
  type Progress,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { tinyFolder } from '../support/tiny-model.ts';

let model: Model;
beforeAll(async () => {
  model = await loadModel(await testDevice(), tinyFolder());
});
afterAll(() => model.destroy());

const ASKED = { classes: [0, 1, 2, 3, 0], seed: 7, batch: 2 };
/** Of the tiny model. */
const STEPS = 16;

describe('images one by one', () => {
  test('are those of generate, each given before the next batch begins', async () => {
    const images: GeneratedImage[] = [];
    const tokensAt: number[] = [];
    let latest: Progress | undefined;
    const onProgress = (progress: Progress) => {
      if (progress.phase === 'tokens') latest = progress;
    };
    for await (const image of generateImages(model, { ...ASKED, onProgress })) {
      images.push(image);
      tokensAt.push(latest?.done ?? 0);
    }
    expect(images).toEqual((await generate(model, { ...ASKED, batch: 5 })).images);
    expect(tokensAt).toEqual([2, 2, 4, 4, 5].map((sequences) => sequences * STEPS));
  });

  test('end with what the run took', async () => {
    const run = generateImages(model, ASKED);
    const elapsed = new Map<string, number>();
    const onProgress = ({ phase, elapsedMs }: Progress) => {
      expect(elapsedMs).toBeGreaterThanOrEqual(elapsed.get(phase) ?? 0);
      elapsed.set(phase, elapsedMs);
    };
    for (let i = 0; i < ASKED.classes.length; i++) expect((await run.next()).done).toBe(false);
    const { done, value } = await run.next();
    expect(done).toBe(true);
    expect(value).toMatchObject({ runs: [{ steps: STEPS }, { steps: STEPS }, { steps: STEPS }] });
    // What the caller does with an image counts as no phase.
    const { timings } = await generate(model, { ...ASKED, onProgress });
    expect(timings.tokensMs).toBeGreaterThanOrEqual(elapsed.get('tokens') ?? Number.NaN);
    expect(timings.decodeMs).toBeGreaterThanOrEqual(elapsed.get('decode') ?? Number.NaN);
  });

  test('leave the model free for a call of another shape', async () => {
    const { images } = await generate(model, ASKED);
    const seen: GeneratedImage[] = [];
    for await (const image of generateImages(model, ASKED)) {
      seen.push(image);
      if (seen.length > 1) continue;
      const [other] = (await generate(model, { classes: [1], seed: 8 })).images;
      expect(other).toEqual(images[1]);
    }
    expect(seen).toEqual(images);
  });

  test('that nobody asks for any more hold nothing up', async () => {
    for await (const image of generateImages(model, ASKED)) {
      expect(image.seed).toBe(7);
      break;
    }
    expect((await generate(model, { classes: [1] })).images).toHaveLength(1);
  });

  test('end with the reason of a signal, between images of a batch too', async () => {
    const stop = new AbortController();
    const run = generateImages(model, { ...ASKED, signal: stop.signal });
    expect((await run.next()).value).toMatchObject({ seed: 7 });
    const reason = new Error('enough');
    stop.abort(reason);
    await expect(run.next()).rejects.toBe(reason);
    expect(await run.next()).toEqual({ done: true, value: undefined });
  });

  test('are refused when the first is asked for', async () => {
    await expect(generateImages(model, { classes: [] }).next()).rejects.toThrow(/at least one/);
  });

  test('begin with given tokens, and show the first of each batch while it is drawn', async () => {
    const { images } = await generate(model, ASKED);
    const prefix = images[0]!.tokens.subarray(0, 6);
    const previews: Preview[] = [];
    const again = await generate(model, {
      ...ASKED,
      prefix,
      window: 1,
      previewEvery: 4,
      onPreview: (preview) => previews.push(preview),
    });
    expect(again.images[0]).toEqual(images[0]);
    for (const { tokens } of again.images) expect(tokens.subarray(0, 6)).toEqual(prefix);
    expect(new Set(previews.map(({ index }) => index))).toEqual(new Set([0, 2, 4]));
    expect(previews.find(({ index }) => index === 0)).toMatchObject({ done: 8, total: STEPS });
  });
});
