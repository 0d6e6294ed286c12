/** `scaling`: how the time of a step grows with the batch, the grid and the model. */
import { freemem } from 'node:os';
import { DeviceError } from '../src/errors.ts';
import { gptConfig } from '../src/index.ts';
import { gptDecoder } from '../src/models/gpt.ts';
import type { GptSize } from '../src/models/gpt-config.ts';
import { measureSteps, type StepCase, type StepResult, stepName } from './generate/decoder.ts';
import { stepOptions } from './generate/suite.ts';
import { weightBytes } from './gpu/random-network.ts';
import { precisionOf } from './kernels/suite.ts';
import type { Session } from './session.ts';
import { selectCases } from './settings.ts';
import { formatNumber, formatTable, type Row } from './table.ts';

export interface ScalingResult {
  readonly steps: readonly (StepResult & { readonly series: Series })[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** What grows. */
export type Series = 'batch' | 'grid' | 'model';

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
  const options = await stepOptions(session, 2, RUN_MS);
  const steps: ScalingResult['steps'][number][] = [];
  const skipped: { name: string; reason: string }[] = [];
  for (const one of cases) {
    session.note(one.name);
    const reason = await session.use(async (d) => {
      const precision = precisionOf(d.device, session);
      const config = gptConfig(one.model, one.grid);
      const pass = { rows: 2 * one.classes, slots: 2 * one.classes };
      const bytes = weightBytes((g) => void gptDecoder(g, config, pass, precision));
      const most = software ? MEMORY_SHARE * freemem() : Number.POSITIVE_INFINITY;
      if (bytes > most) return `weights of ${gb(bytes)} GB, and ${gb(most)} GB may be taken`;
      const expected = expectedSeconds(steps, one, bytes);
      if (expected > settings.budget) {
        return `would take about ${formatNumber(expected)} s, and --budget is ${settings.budget} s`;
      }
      try {
        steps.push({
          ...(await measureSteps(d, one, options(one, precision))),
          series: one.series,
        });
        return undefined;
      } catch (error) {
        const memory =
          error instanceof DeviceError && ['limit', 'out-of-memory'].includes(error.problem);
        if (!memory) throw error;
        return error.message;
      }
    });
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
export function scalingLines({ steps, skipped }: ScalingResult): string[] {
  const lines = (['batch', 'grid', 'model'] as const).flatMap((series) => {
    const own = steps.filter((s) => s.series === series);
    if (own.length === 0) return [];
    return [
      ...formatTable([
        [`by ${series}`, 'rows', 'step, ms', 'tokens/s', 'floor, ms', 'of floor', 'GPU MB'],
        ...own.map(
          (s): Row => [
            `  ${s.name}`,
            String(s.rows),
            formatNumber(s.stepMs.min),
            formatNumber((1000 * s.classes) / s.stepMs.min),
            formatNumber(s.floorMs),
            `${(100 * s.floorShare).toFixed(0)} %`,
            formatNumber((s.memory.weights + s.memory.state + s.memory.temp) / 1e6),
          ],
        ),
      ]),
      '',
    ];
  });
  return [...lines, ...skipped.map(({ name, reason }) => `skipped: ${name}: ${reason}`)];
}
