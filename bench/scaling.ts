/** `scaling`: how the time of a step grows with the batch, the grid and the model. */
import { freemem } from 'node:os';
import { DeviceError } from '../src/errors.ts';
import type { GptSize } from '../src/models/gpt-config.ts';
import { type StepCase, type StepResult, Steps, stepName } from './generate/steps.ts';
import type { BenchDevice, Session } from './session.ts';
import { selectCases } from './settings.ts';
import { formatNumber, megabytes, percent, type Row, type Table } from './table.ts';

export interface ScalingResult {
  readonly steps: readonly (StepResult & { readonly series: Series })[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** What grows. */
export type Series = (typeof SERIES)[number];
export const SERIES = ['batch', 'grid', 'model'] as const;

interface ScalingCase extends StepCase {
  readonly name: string;
  readonly series: Series;
}

const MODELS: readonly GptSize[] = ['GPT-B', 'GPT-L', 'GPT-XL', 'GPT-XXL', 'GPT-3B'];
/** Steps of a case, of about this length where possible. */
const RUN_MS = 600;
/** Steps that a case takes at least, warm-up and time on the device included. */
const LEAST_STEPS = 12;
/** Share of the free memory that the weights of a software adapter may take. */
const MEMORY_SHARE = 0.5;

function allCases({ settings }: Session): ScalingCase[] {
  const { models = MODELS, quick } = settings;
  const one = (series: Series, c: StepCase): ScalingCase => ({
    ...{ ...c, series, name: `${series}: ${stepName(c)}` },
  });
  const batches = quick ? [1, 4, 16] : [1, 2, 4, 8, 16, 32];
  return [
    ...batches.map((classes) => one('batch', { model: 'GPT-B', grid: 16, classes })),
    ...([16, 24, 32] as const).map((grid) => one('grid', { model: 'GPT-B', grid, classes: 1 })),
    ...models.map((model) => one('model', { model, grid: 24, classes: 1 })),
  ];
}

export async function measureScaling(session: Session): Promise<ScalingResult> {
  const { settings, software } = session;
  const cases = selectCases('scaling', allCases(session), settings.cases);
  const measured = await Steps.of(session, 2, RUN_MS);
  const steps: ScalingResult['steps'][number][] = [];
  const skipped: { name: string; reason: string }[] = [];
  const most = (): number => (software ? MEMORY_SHARE * freemem() : Number.POSITIVE_INFINITY);
  /** @returns Why it was skipped. */
  const measure = async (d: BenchDevice, { name, series, ...one }: ScalingCase) => {
    const bytes = measured.weightBytes(d, one);
    if (bytes > most()) return `weights of ${gb(bytes)} GB, and ${gb(most())} GB may be taken`;
    const expected = expectedSeconds(steps, { name, series, ...one }, bytes);
    if (expected > settings.budget) {
      return `would take about ${formatNumber(expected)} s, and --budget is ${settings.budget} s`;
    }
    try {
      steps.push({ ...(await measured.measure(d, one)), series });
      return undefined;
    } catch (error) {
      const full =
        error instanceof DeviceError && ['limit', 'out-of-memory'].includes(error.problem);
      if (!full) throw error;
      return error.message;
    }
  };
  for (const one of cases) {
    session.note(one.name);
    const reason = await session.use((d) => measure(d, one));
    if (reason) skipped.push({ name: one.name, reason });
  }
  return { steps, skipped };
}

const gb = (bytes: number): string => formatNumber(bytes / 1e9);

/** From the last case of the same series: time grows with the weights, and at most with the rows. */
function expectedSeconds(steps: ScalingResult['steps'], one: ScalingCase, bytes: number): number {
  const before = steps.filter(({ series }) => series === one.series).at(-1);
  if (!before) return 0;
  const growth = (bytes / before.memory.weights) * (one.classes / before.classes);
  return (before.stepMs.min / 1000) * growth * LEAST_STEPS;
}

/** A table for each series. */
export const scalingTables = ({ steps }: ScalingResult): Table[] =>
  SERIES.flatMap((series) => {
    const own = steps.filter((s) => s.series === series);
    if (own.length === 0) return [];
    const rows = own.map(
      (s): Row => [
        `  ${s.name}`,
        String(s.rows),
        formatNumber(s.stepMs.min),
        formatNumber((1000 * s.classes) / s.stepMs.min),
        formatNumber(s.floorMs),
        percent(s.floorShare),
        megabytes(s.memory.weights + s.memory.state + s.memory.temp),
      ],
    );
    const head: Row = [`by ${series}`, 'rows', 'step, ms', 'tokens/s', 'floor, ms', 'of floor'];
    return [[[...head, 'GPU MB'], ...rows]];
  });

export const scalingNotes = ({ skipped }: ScalingResult): string[] =>
  skipped.map(({ name, reason }) => `skipped: ${name}: ${reason}`);
