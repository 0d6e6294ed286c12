/** `generate`: what an image costs, step by step, at 1 and at 8 classes with guidance. */
import type { Session } from '../session.ts';
import { type Grid, selectCases } from '../settings.ts';
import { columns, formatNumber, megabytes, percent, type Table } from '../table.ts';
import { type ImageResult, measureImage } from './images.ts';
import { type StepResult, Steps, stepName } from './steps.ts';

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

export async function measureGenerate(session: Session): Promise<GenerateResult> {
  const { models = ['GPT-B'] as const, quick, cases, runs } = session.settings;
  const grids: readonly Grid[] = session.settings.grids ?? (quick ? [16] : [16, 24]);
  const all = models.flatMap((model) =>
    grids.flatMap((grid) =>
      CLASSES.map((classes) => ({
        ...{ model, grid, classes },
        name: stepName({ model, grid, classes }),
      })),
    ),
  );
  const chosen = selectCases('generate', all, cases);
  const runMs = RUN_MS[session.software ? 'software' : 'hardware'];
  const measured = await Steps.of(session, runs, quick ? runMs / 4 : runMs);
  const steps: StepResult[] = [];
  for (const { name, ...one } of chosen) {
    session.note(name);
    steps.push(await session.use((d) => measured.measure(d, one)));
  }
  const limits = await session.limits();
  const images: ImageResult[] = [];
  // An image of 24 x 24 codes takes minutes on a software adapter: asked for only by --grids.
  const decoded = session.software && !session.settings.grids ? ([16] as const) : grids;
  for (const grid of decoded) {
    if (!steps.some((s) => s.grid === grid)) continue;
    session.note(`VQ-16 ${grid}x${grid}`);
    images.push(
      await session.use((d) => measureImage(d, grid, session.precision(d.device), limits, runs)),
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

/** One table of steps, one of images. */
export function generateTables({ steps, images, secondsPerImage }: GenerateResult): Table[] {
  const ofSteps = columns('one step', steps, {
    'weights and KV cache': (s) => `${s.dtype}, ${s.kvDtype}`,
    'steps that were timed': (s) => `${s.steps} from ${s.position}`,
    'step, ms (best)': (s) => formatNumber(s.stepMs.min),
    'step, ms (median)': (s) => formatNumber(s.stepMs.median),
    'first step, ms': (s) => formatNumber(s.stepMs.first),
    'steps/s': (s) => formatNumber(1000 / s.stepMs.min),
    'floor of a step, ms': (s) => formatNumber(s.floorMs),
    'of floor': (s) => percent(s.floorShare),
    'encode a step in JavaScript, us': (s) => formatNumber(s.encodeUs),
    'device waits for JavaScript': (s) => percent(s.waitShare),
    dispatches: (s) => String(s.dispatches),
    'build, ms': (s) => formatNumber(s.buildMs),
    'GPU memory: weights, MB': (s) => megabytes(s.memory.weights),
    'GPU memory: KV cache and state, MB': (s) => megabytes(s.memory.state),
    'GPU memory: temps, MB': (s) => megabytes(s.memory.temp),
    's per image with VQ-16': (s) => {
      const seconds = secondsPerImage[s.name];
      return seconds === undefined ? '' : formatNumber(seconds);
    },
  });
  if (images.length === 0) return [ofSteps];
  const ofImages = columns('one image', images, {
    'decode, ms (best)': (i) => formatNumber(i.decodeMs.min),
    'decode, ms (first)': (i) => formatNumber(i.decodeMs.first),
    'floor, ms': (i) => formatNumber(i.floorMs),
    'of floor': (i) => percent(i.floorShare),
    'build, ms': (i) => formatNumber(i.buildMs),
    dispatches: (i) => String(i.dispatches),
    'GPU memory: weights, MB': (i) => megabytes(i.memory.weights),
    'GPU memory: temps, MB': (i) => megabytes(i.memory.temp),
  });
  return [ofSteps, ofImages];
}
