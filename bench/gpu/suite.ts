/** `gpu`: steps, images and kernels against their floors, with matrix units and without. */
import type { GptSize } from '../../src/models/gpt-config.ts';
import { type ImageResult, measureImage } from '../generate/images.ts';
import { type StepCase, type StepResult, Steps, stepName } from '../generate/steps.ts';
import {
  type KernelsResult,
  kernelsNotes,
  kernelsTables,
  measureKernels,
} from '../kernels/suite.ts';
import type { Session } from '../session.ts';
import { formatNumber, percent, type Row, type Table } from '../table.ts';
import { isSmall, sessionOf, type Way, waysOf } from './ways.ts';
import { measureWindowPass, type WindowPassResult, windowName } from './window-pass.ts';

export interface GpuResult {
  readonly ways: readonly WayResult[];
  /** What was not measured, and why. */
  readonly missing: readonly Missing[];
}

interface Missing {
  readonly name: string;
  readonly reason: string;
  /** It was tried: there was time for it. */
  readonly failed: boolean;
}

/** Whether something could not be measured, for reasons other than time. */
export const hasMissed = ({ missing }: GpuResult): boolean => missing.some(({ failed }) => failed);

export interface WayResult {
  readonly name: string;
  readonly steps: readonly StepResult[];
  /** Passes of a window of one image. */
  readonly windows: readonly WindowPassResult[];
  readonly images: readonly ImageResult[];
  readonly kernels?: KernelsResult;
}

/** What is measured: enough for five minutes of a GPU, or for a few of a software adapter. */
interface Plan {
  readonly models: readonly GptSize[];
  readonly grid: 16 | 24;
  readonly classes: readonly number[];
  /** Positions of a window, for one image. */
  readonly window: number;
  /** Length of a timed run of steps, milliseconds. */
  readonly runMs: number;
  /** Side of the grid of codes, and how many are decoded in a run. */
  readonly codes: number;
  readonly images: readonly number[];
  readonly kernels: readonly string[];
  /** Seconds of the whole suite after which nothing new begins. */
  readonly mostSeconds: number;
}

const GPU: Plan = {
  models: ['GPT-B', 'GPT-L', 'GPT-XL', 'GPT-XXL', 'GPT-3B'],
  ...{ grid: 24, classes: [1, 8], window: 8, runMs: 600, codes: 24, images: [1, 8] },
  kernels: ['GPT-B', 'sampler', 'VQ-16'],
  mostSeconds: 150,
};
const SMALL: Plan = {
  models: ['GPT-B'],
  ...{ grid: 16, classes: [1, 2], window: 2, runMs: 1, codes: 2, images: [1, 2] },
  kernels: ['GPT-B 2 rows: embed', 'GPT-B 2 rows: attention', 'GPT-B 2 rows: sample_token'],
  mostSeconds: 600,
};

/** All of the way that users get first, kernels last: where time runs out, what matters is there. */
export async function measureGpu(session: Session): Promise<GpuResult> {
  const plan = planOf(session);
  const missing: Missing[] = [];
  const until = performance.now() + 1000 * plan.mostSeconds;
  /** A part that fails leaves the others: a GPU is lent for minutes. */
  const attempt = async <T>(name: string, measure: () => Promise<T>): Promise<T | undefined> => {
    const late = performance.now() > until;
    session.note(late ? `${name}: no time left` : name);
    if (!late) {
      try {
        return await measure();
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        missing.push({ name, reason, failed: true });
        return undefined;
      }
    }
    missing.push({ name, reason: `no time left after ${plan.mostSeconds} s`, failed: false });
    return undefined;
  };
  const ways = waysOf(session.environment.variant, session.settings);
  const limits = await session.limits();
  const found = new Map(ways.map((way) => [way, emptyOf(way)]));
  for (const [way, result] of found) {
    const own = sessionOf(session, way);
    const steps = await Steps.of(own, 2, plan.runMs);
    for (const one of stepCases(plan)) {
      const name = `${stepName(one)}, ${way.name}`;
      const step = await attempt(name, () => own.use((d) => steps.measure(d, one)));
      if (step) result.steps.push(step);
    }
    for (const model of plan.models) {
      const one = { model, grid: plan.grid, window: plan.window };
      const name = `${windowName(one)}, ${way.name}`;
      const pass = await attempt(name, () =>
        own.use((d) => measureWindowPass(d, own, limits, one)),
      );
      if (pass) result.windows.push(pass);
    }
    for (const count of plan.images) {
      const image = await attempt(`VQ-16, ${count} images, ${way.name}`, () =>
        own.use((d) => measureImage(d, plan.codes, own.precision(d.device), limits, 2, count)),
      );
      if (image) result.images.push(image);
    }
  }
  for (const [way, result] of found) {
    if (way.settings.precision === 'exact') continue;
    const own = sessionOf(session.with({ cases: plan.kernels, models: ['GPT-B'] }), way);
    result.kernels = await attempt(`kernels, ${way.name}`, () => measureKernels(own));
  }
  return { ways: [...found.values()].map(finished), missing };
}

function planOf(session: Session): Plan {
  const plan = isSmall(session) ? SMALL : GPU;
  const { models = plan.models, seconds: mostSeconds = plan.mostSeconds } = session.settings;
  return { ...plan, models, mostSeconds };
}

interface Growing {
  readonly name: string;
  readonly steps: StepResult[];
  readonly windows: WindowPassResult[];
  readonly images: ImageResult[];
  kernels?: KernelsResult | undefined;
}

const emptyOf = ({ name }: Way): Growing => ({ name, steps: [], windows: [], images: [] });
const finished = ({ kernels, ...rest }: Growing): WayResult => ({
  ...rest,
  ...(kernels && { kernels }),
});

const stepCases = ({ models, grid, classes }: Plan): StepCase[] =>
  models.flatMap((model) => classes.map((count) => ({ model, grid, classes: count })));

/** Steps and images of all ways beside their floors, then the kernels of each way. */
export function gpuTables({ ways }: GpuResult): Table[] {
  return [
    compared('a step, ms', ways, ({ steps }) =>
      steps.map(({ name, stepMs, floorMs }) => ({ name, ms: stepMs.min, floorMs })),
    ),
    compared('a pass of one image, ms', ways, ({ windows }) => windows),
    compared('images from codes, ms', ways, ({ images }) =>
      images.map(({ name, decodeMs, floorMs }) => ({ name, ms: decodeMs.min, floorMs })),
    ),
    ...ways.flatMap(({ name, kernels }) =>
      (kernels ? kernelsTables(kernels) : []).map(([[use = '', ...head] = [], ...rows]) => [
        [`${use}, ${name}`, ...head] as const,
        ...rows,
      ]),
    ),
  ];
}

interface Timed {
  readonly name: string;
  readonly ms: number;
  readonly floorMs: number;
}

/** One row for each case, one column for each way; shares are those of the first way. */
function compared(
  title: string,
  ways: readonly WayResult[],
  timesOf: (way: WayResult) => readonly Timed[],
): Table {
  const columns = ways.map(timesOf);
  const names = [...new Set(columns.flatMap((times) => times.map(({ name }) => name)))];
  const rows = names.map((name): Row => {
    const times = columns.map((column) => column.find((t) => t.name === name));
    const [first] = times;
    const floor = times.find((t) => t)?.floorMs ?? Number.NaN;
    return [
      `  ${name}`,
      ...times.map((t) => (t ? formatNumber(t.ms) : '-')),
      formatNumber(floor),
      first ? percent(first.floorMs / first.ms) : '-',
    ];
  });
  return [[title, ...ways.map(({ name }) => name), 'floor', `of floor, ${ways[0]?.name}`], ...rows];
}

export const gpuNotes = ({ ways, missing }: GpuResult): string[] => [
  ...missing.map(({ name, reason }) => `not measured: ${name}: ${reason}`),
  ...ways.flatMap(({ kernels }) => (kernels ? kernelsNotes(kernels) : [])),
];
