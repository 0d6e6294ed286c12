/** `generate`: what an image costs, step by step, at 1 and at 8 classes with guidance. */
import type { GptSize } from '../../src/models/gpt-config.ts';
import { precisionOf } from '../kernels/suite.ts';
import { SameCheck } from '../same-check.ts';
import type { Session } from '../session.ts';
import { type Grid, selectCases } from '../settings.ts';
import { formatNumber, formatTable, type Row } from '../table.ts';
import {
  measureSteps,
  type StepCase,
  type StepOptions,
  type StepResult,
  stepName,
} from './decoder.ts';
import { type ImageResult, measureImage } from './images.ts';

export interface GenerateResult {
  readonly steps: readonly StepResult[];
  /** By grid. */
  readonly images: readonly ImageResult[];
  /** Seconds an image from the first token to the last pixel, warm; by the names of `steps`. */
  readonly secondsPerImage: Readonly<Record<string, number>>;
}

const CLASSES = [1, 8];
/** Length of a timed run of steps, milliseconds. */
const RUN_MS = { software: 2500, hardware: 10_000 };

/** Options of every case, with one check of tokens for each decoder, grid and position. */
export async function stepOptions(
  session: Session,
  runs: number,
  runMs: number,
): Promise<(one: StepCase, precision: StepOptions['precision']) => StepOptions> {
  const limits = await session.limits();
  const checks = new Map<string, SameCheck>();
  return (one: StepCase, precision: StepOptions['precision']): StepOptions => ({
    ...{ precision, limits, runs, runMs },
    sameAt(position) {
      const key = `${one.model} ${one.grid} ${position}`;
      const check = checks.get(key) ?? new SameCheck('token');
      checks.set(key, check);
      return check;
    },
  });
}

export async function measureGenerate(session: Session): Promise<GenerateResult> {
  const { models = ['GPT-B'] as const, quick, cases, runs } = session.settings;
  const grids: readonly Grid[] = session.settings.grids ?? (quick ? [16] : [16, 24]);
  const all = models.flatMap((model: GptSize) =>
    grids.flatMap((grid) =>
      CLASSES.map((classes) => ({
        name: stepName({ model, grid, classes }),
        model,
        grid,
        classes,
      })),
    ),
  );
  const chosen = selectCases('generate', all, cases);
  const runMs = RUN_MS[session.software ? 'software' : 'hardware'];
  const options = await stepOptions(session, runs, quick ? runMs / 4 : runMs);
  const steps: StepResult[] = [];
  for (const one of chosen) {
    session.note(one.name);
    steps.push(
      await session.use((d) => measureSteps(d, one, options(one, precisionOf(d.device, session)))),
    );
  }
  const limits = await session.limits();
  const images: ImageResult[] = [];
  // An image of 24 x 24 codes takes minutes on a software adapter: asked for only by --grids.
  const decoded = session.software && !session.settings.grids ? ([16] as const) : grids;
  for (const grid of decoded) {
    if (!steps.some((s) => s.grid === grid)) continue;
    session.note(`VQ-16 ${grid}x${grid}`);
    images.push(
      await session.use((d) => measureImage(d, grid, precisionOf(d.device, session), limits, runs)),
    );
  }
  const secondsPerImage = Object.fromEntries(
    steps.flatMap((s) => {
      const image = images.find(({ grid }) => grid === s.grid);
      if (!image) return [];
      const tokens = (s.stepMs.min * s.grid * s.grid) / s.classes;
      return [[s.name, (tokens + image.decodeMs.min) / 1000]];
    }),
  );
  return { steps, images, secondsPerImage };
}

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const mb = (bytes: number): string => formatNumber(bytes / 1e6);

/** One table of steps, one of images. */
export function generateLines({ steps, images, secondsPerImage }: GenerateResult): string[] {
  const head: Row = ['steps with guidance', ...steps.map(({ name }) => name.replace(/^GPT-/, ''))];
  const row = (name: string, of: (s: StepResult) => string): Row => [name, ...steps.map(of)];
  const lines = formatTable([
    head,
    row('weights', (s) => s.dtype),
    row('step, ms (best)', (s) => formatNumber(s.stepMs.min)),
    row('step, ms (median)', (s) => formatNumber(s.stepMs.median)),
    row('first step, ms', (s) => formatNumber(s.stepMs.first)),
    row('steps/s', (s) => formatNumber(1000 / s.stepMs.min)),
    row('floor of a step, ms', (s) => formatNumber(s.floorMs)),
    row('of floor', (s) => percent(s.floorShare)),
    row('encode a step in JavaScript, us', (s) => formatNumber(s.encodeUs)),
    row('device waits for JavaScript', (s) => percent(s.waitShare)),
    row('dispatches', (s) => String(s.dispatches)),
    row('make weights on the GPU, ms', (s) => formatNumber(s.weightsMs)),
    row('build, ms', (s) => formatNumber(s.buildMs)),
    row('GPU memory: weights, MB', (s) => mb(s.memory.weights)),
    row('GPU memory: KV cache and state, MB', (s) => mb(s.memory.state)),
    row('GPU memory: temps, MB', (s) => mb(s.memory.temp)),
    row('s per image with VQ-16', (s) => {
      const seconds = secondsPerImage[s.name];
      return seconds === undefined ? '' : formatNumber(seconds);
    }),
  ]);
  if (images.length === 0) return lines;
  const each = (name: string, of: (i: ImageResult) => string): Row => [name, ...images.map(of)];
  return [
    ...lines,
    '',
    ...formatTable([
      ['one image', ...images.map(({ name }) => name)],
      each('decode, ms (best)', (i) => formatNumber(i.decodeMs.min)),
      each('decode, ms (first)', (i) => formatNumber(i.decodeMs.first)),
      each('floor, ms', (i) => formatNumber(i.floorMs)),
      each('of floor', (i) => percent(i.floorShare)),
      each('build, ms', (i) => formatNumber(i.buildMs)),
      each('dispatches', (i) => String(i.dispatches)),
      each('GPU memory: weights, MB', (i) => mb(i.memory.weights)),
      each('GPU memory: temps, MB', (i) => mb(i.memory.temp)),
    ]),
  ];
}
