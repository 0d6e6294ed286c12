/**
 * `windows`: tokens a pass by window, guidance, top-k and temperature, of a model as users run it. Passes
 * are counted, and are the same on every adapter on which the tokens are; milliseconds are of this one.
 */
import { readModelJson } from '../src/cli/models.ts';
import { createEngine, type Engine, type ImageRequest } from '../src/engine/index.ts';
import { loadModel } from '../src/index.ts';
import { openFolder } from '../src/node/files.ts';
import { classOf, SEED } from './model/batch.ts';
import { SameCheck } from './same-check.ts';
import type { Session } from './session.ts';
import { formatNumber, type Row, type Table } from './table.ts';

type How = Pick<ImageRequest, 'cfgScale' | 'topK' | 'temperature'>;

export interface WindowResult extends How {
  /** Settings and window. */
  readonly name: string;
  readonly window: number;
  /** Of each image. */
  readonly passes: readonly number[];
  /** Mean of the images. */
  readonly tokensPerPass: number;
  /** Time of an image, which is drawn alone, over its passes. */
  readonly msPerPass: number;
}

export interface WindowsResult {
  readonly model: string;
  readonly tokens: number;
  readonly windows: readonly WindowResult[];
}

interface Case {
  readonly name: string;
  readonly how: Required<How>;
  readonly windows: readonly number[];
}

const PLAIN = { cfgScale: 2, topK: 0, temperature: 1 };

/** All windows as the model is sampled by default, the rest with one. */
const CASES: readonly Case[] = [
  { name: 'guidance 2', how: PLAIN, windows: [2, 4, 8, 16] },
  { name: 'no guidance', how: { ...PLAIN, cfgScale: 1 }, windows: [8] },
  { name: 'guidance 4', how: { ...PLAIN, cfgScale: 4 }, windows: [8] },
  { name: 'top-k 10', how: { ...PLAIN, topK: 10 }, windows: [8] },
  { name: 'top-k 100', how: { ...PLAIN, topK: 100 }, windows: [8] },
  { name: 'temperature 0.5', how: { ...PLAIN, temperature: 0.5 }, windows: [8] },
  { name: 'temperature 0.8', how: { ...PLAIN, temperature: 0.8 }, windows: [8] },
];

const IMAGES = { quick: 1, all: 3 };

/** @throws Error when a window makes other tokens than one by one. */
export async function measureWindows(session: Session): Promise<WindowsResult> {
  const { model: folder, quick } = session.settings;
  const files = openFolder(folder);
  const config = await readModelJson(files);
  const cases = quick ? CASES.slice(0, 2) : CASES;
  const images = quick ? IMAGES.quick : IMAGES.all;
  const windows = await session.use(async ({ device }) => {
    const { variant, tiles } = session.environment;
    const model = await loadModel(device, files, { variant, tiles });
    const engine = await createEngine(model, { capacity: 2 });
    const results: WindowResult[] = [];
    for (const { name, how, windows: sizes } of cases) {
      session.note(name);
      const check = new SameCheck('token');
      for (const window of [1, ...sizes]) {
        const drawn: Drawn[] = [];
        for (let i = 0; i < images; i++) {
          const classIndex = classOf(i * 5, config.gpt.numClasses);
          const one = await draw(engine, { ...how, classIndex, seed: SEED + i, window });
          check.check(`${name}, window ${window}`, i, one.tokens);
          drawn.push(one);
        }
        if (window > 1) results.push({ ...how, ...summary(name, window, drawn) });
      }
    }
    engine.destroy();
    model.destroy();
    return results;
  });
  return { model: config.name, tokens: config.gpt.blockSize, windows };
}

interface Drawn {
  readonly tokens: Uint32Array;
  readonly passes: number;
  readonly ms: number;
}

async function draw(engine: Engine, request: ImageRequest): Promise<Drawn> {
  await engine.prepare((request.cfgScale ?? 1) > 1 ? 2 : 1, request.window);
  const begun = performance.now();
  for await (const event of engine.submit({ ...request, pixels: false })) {
    if (event.type !== 'image') continue;
    const { tokens, passes } = event;
    return { tokens, passes, ms: performance.now() - begun };
  }
  throw new Error('the engine gave no image');
}

function summary(
  name: string,
  window: number,
  drawn: readonly Drawn[],
): Omit<WindowResult, keyof How> {
  const sum = (of: (one: Drawn) => number): number => drawn.reduce((n, one) => n + of(one), 0);
  const tokensPerPass = sum(({ tokens, passes }) => tokens.length / passes) / drawn.length;
  return {
    name: `${name}, window ${window}`,
    window,
    passes: drawn.map(({ passes }) => passes),
    tokensPerPass,
    msPerPass: sum(({ ms }) => ms) / sum(({ passes }) => passes),
  };
}

export const windowsTables = ({ model, tokens, windows }: WindowsResult): Table[] => [
  [
    [`${model}, ${tokens} tokens`, 'tokens a pass', 'passes of each image', 'ms a pass'],
    ...windows.map(
      ({ name, tokensPerPass, passes, msPerPass }): Row => [
        `  ${name}`,
        tokensPerPass.toFixed(2),
        passes.join(' '),
        formatNumber(msPerPass),
      ],
    ),
  ],
];
