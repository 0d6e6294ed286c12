/** Images of texts: what an engine, `generate` and scoring take of captions, and what they refuse. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type CaptionFeatures,
  createEngine,
  type Engine,
  type EngineEvent,
  generate,
  type ImageRequest,
  loadModel,
  type Model,
  OptionError,
  scoreTokens,
  tokenLoop,
  WeightsError,
} from '../../src/index.ts';
import { anyCaption } from '../support/captions.ts';
import { testDevice } from '../support/device.ts';
import { goldenFolder } from '../support/golden-model.ts';
import { sampling } from '../support/sampling.ts';
import { tinyFolder } from '../support/tiny-model.ts';

const TOTAL = 16;
const VOCAB = 256;

let model: Model;
let classes: Model;
let engine: Engine;
beforeAll(async () => {
  const device = await testDevice();
  model = await loadModel(device, await goldenFolder('t2i_tiny'));
  classes = await loadModel(device, tinyFolder());
  engine = await createEngine(model, { capacity: 4, rows: 8 });
});
afterAll(() => {
  engine.destroy();
  model.destroy();
  classes.destroy();
});

async function eventsOf(request: ImageRequest, signal?: AbortSignal): Promise<EngineEvent[]> {
  const events: EngineEvent[] = [];
  for await (const event of engine.submit(request, { signal })) events.push(event);
  return events;
}

async function tokensOf(request: ImageRequest): Promise<number[]> {
  const image = (await eventsOf(request)).find((event) => event.type === 'image');
  return [...(image?.tokens ?? [])];
}

test('a request tells of its tokens, previews and picture, as one of a class does', async () => {
  const events = await eventsOf({ caption: anyCaption(5, 1), seed: 3, previewEvery: 8, window: 1 });
  const types = events.map(({ type }) => type);
  expect(types.slice(0, 2)).toEqual(['queued', 'started']);
  expect(types.slice(-2)).toEqual(['image', 'done']);
  expect(types).toContain('tokens');
  expect(types).toContain('preview');
  const image = events.find((event) => event.type === 'image');
  expect(image).toMatchObject({ passes: TOTAL, picture: { width: 8, height: 8 } });
});

test('generate makes the images that the engine makes, and says no class', async () => {
  const captions = [anyCaption(12, 1), anyCaption(1, 2), anyCaption(7, 3)];
  const { images, tokensPerPass } = await generate(model, { captions, seed: 9, window: 1 });
  expect(tokensPerPass).toBe(1);
  for (const [i, image] of images.entries()) {
    expect(image).toMatchObject({ classIndex: undefined, seed: 9 + i });
    const alone = await tokensOf({ caption: captions[i]!, seed: 9 + i, pixels: false });
    expect([...image.tokens]).toEqual(alone);
  }
});

test('features may be changed once they are submitted', async () => {
  const request = { seed: 4, pixels: false } as const;
  const expected = await tokensOf({ ...request, caption: anyCaption(6, 5) });
  const caption = anyCaption(6, 5);
  const run = tokensOf({ ...request, caption });
  caption.values.fill(0);
  expect(await run).toEqual(expected);
});

test('one that is aborted while captions are prefilled leaves the others alone', async () => {
  const request = { caption: anyCaption(12, 8), seed: 4, pixels: false } as const;
  const expected = await tokensOf(request);
  const stop = new AbortController();
  const gone = eventsOf({ ...request, seed: 5 }, stop.signal);
  const stays = tokensOf(request);
  await Promise.resolve();
  stop.abort(new Error('enough'));
  await expect(gone).rejects.toThrow('enough');
  expect(await stays).toEqual(expected);
  expect(engine.jobs).toBe(0);
});

test('a grid that is given whole needs no caption in its slots', async () => {
  const prefix = Array.from({ length: TOTAL }, (_, i) => i);
  expect(await tokensOf({ caption: anyCaption(3, 1), prefix, pixels: false })).toEqual(prefix);
});

test('memory does not grow with captions, and is free when the engine is destroyed', async () => {
  const before = model.memory;
  const own = await createEngine(model, { capacity: 2, rows: 8 });
  const use = async (): Promise<void> => {
    for (const tokens of [12, 1]) {
      const request = { caption: anyCaption(tokens, 1), seed: 1, pixels: false, window: 1 };
      for await (const _ of own.submit(request));
    }
  };
  await use();
  const used = model.memory;
  expect(used.state).toBeGreaterThan(before.state);
  await use();
  expect(model.memory).toEqual(used);
  own.destroy();
  expect(model.memory).toEqual(before);
});

test('scores are the logits that greedy tokens are drawn from', async () => {
  const captions = [anyCaption(4, 1), anyCaption(12, 2)];
  const tokens = await Promise.all(
    captions.map((caption) => tokensOf({ caption, greedy: true, cfgScale: 1, pixels: false })),
  );
  const grids = captions.map((caption, i) => ({ caption, tokens: tokens[i]! }));
  const scores = await scoreTokens(model.gpt, grids);
  expect(scores.length).toBe(captions.length * (1 + TOTAL) * VOCAB);
  const best = captions.map((_, grid) =>
    Array.from({ length: TOTAL }, (_, step) => {
      const first = (grid * (1 + TOTAL) + step) * VOCAB;
      const row = scores.subarray(first, first + VOCAB);
      return row.indexOf(Math.max(...row));
    }),
  );
  expect(best).toEqual(tokens);
});

test('a token loop begins again with other captions', async () => {
  const loop = await tokenLoop(model.gpt, { sequences: 1, guided: true });
  const settings = sampling({ cfgScale: 3, seed: 2 });
  const drawn: number[][] = [];
  for (const tokens of [9, 2, 9]) {
    loop.start([{ ...settings, caption: anyCaption(tokens, tokens) }]);
    await loop.run(TOTAL);
    drawn.push([...(await loop.readTokens())]);
  }
  loop.destroy();
  expect(drawn[2]).toEqual(drawn[0]);
  expect(drawn[1]).not.toEqual(drawn[0]);
  const request = { ...settings, caption: anyCaption(9, 9), pixels: false };
  const { given: _, ...asked } = request;
  expect(drawn[0]).toEqual(await tokensOf(asked));
});

describe('is refused', () => {
  const sound = anyCaption(3, 1);
  const notFinite = anyCaption(3, 1);
  notFinite.values[50] = Number.NaN;
  const cases: readonly [what: string, caption: unknown, message: string][] = [
    ['another size', anyCaption(3, 1, 40), 'has 40 features a token, and this model takes 48'],
    ['too many tokens', anyCaption(13, 1), 'has 13 tokens, and this model takes 12 at most'],
    ['other values', { ...sound, tokens: 2 }, 'has 144 values, which are not 2 tokens of 48'],
    ['no tokens', { ...sound, tokens: 0 }, 'expected features of a caption, { values'],
    [
      'a prompt',
      'a cat',
      'expected features of a caption, { values: Float32Array, tokens, dim }, got "a cat"',
    ],
    ['NaN', notFinite, 'the features of token 1 are not finite (NaN)'],
  ];

  test.each(cases)('%s', async (what, caption, message) => {
    const request = { caption: caption as CaptionFeatures };
    const kind = what === 'NaN' ? WeightsError : OptionError;
    expect(() => engine.submit(request)).toThrow(message);
    expect(() => engine.submit(request)).toThrow(kind);
    const grid = { ...request, tokens: Array(TOTAL).fill(0) };
    await expect(scoreTokens(model.gpt, [grid])).rejects.toThrow(message);
    if (typeof caption === 'string') return;
    const captions = [sound, request.caption];
    await expect(generate(model, { captions })).rejects.toThrow(message);
    await expect(generate(model, { captions })).rejects.toThrow('captions[1]');
  });

  test('a class by a model of texts, and nothing', async () => {
    const takes =
      'this model makes images of texts and has no classes: it takes features of up to 12 tokens of 48';
    expect(() => engine.submit({ classIndex: 1 })).toThrow(
      `${takes}: give "caption", not "classIndex"`,
    );
    expect(() => engine.submit({})).toThrow(`${takes}: "caption" is missing`);
    await expect(generate(model, { classes: [1] })).rejects.toThrow(OptionError);
    await expect(generate(model, { classes: [1] })).rejects.toThrow(
      'give "captions", not "classes"',
    );
    await expect(generate(model, {})).rejects.toThrow('features of at least one caption, got none');
    const grid = { label: 0, tokens: Array(TOTAL).fill(0) };
    await expect(scoreTokens(model.gpt, [grid])).rejects.toThrow('give "caption"');
  });

  test('a caption by a model of classes', async () => {
    const takes = 'this model makes images of 4 classes and takes no text';
    const own = await createEngine(classes, { capacity: 2 });
    expect(() => own.submit({ caption: sound })).toThrow(
      `${takes}: give "classIndex", not "caption"`,
    );
    expect(() => own.submit({})).toThrow('"classIndex" expected an integer from 0 to 4');
    own.destroy();
    const asked = generate(classes, { captions: [sound] });
    await expect(asked).rejects.toThrow(OptionError);
    await expect(generate(classes, { captions: [sound] })).rejects.toThrow(
      `${takes}: give "classes"`,
    );
    const grid = { caption: sound, tokens: Array(TOTAL).fill(0) };
    await expect(scoreTokens(classes.gpt, [grid])).rejects.toThrow(`${takes}: give "label"`);
  });
});
