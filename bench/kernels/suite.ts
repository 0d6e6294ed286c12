/** `kernels`: every kernel of a step and of an image, each against the machine's limits. */
import { bindingLimit } from '../../src/gpu/variants.ts';
import { variantOf } from '../../src/index.ts';
import type { GptSize } from '../../src/models/gpt-config.ts';
import type { Precision } from '../../src/models/precision.ts';
import { dtypeOf, effortOf } from '../limits/measure.ts';
import type { BenchDevice, Session } from '../session.ts';
import { selectCases } from '../settings.ts';
import { formatNumber, formatTable, type Row } from '../table.ts';
import { imageCases, type KernelCase, stepCases } from './cases.ts';
import { type KernelResult, measureKernel, type Unchecked } from './measure.ts';

export interface KernelsResult {
  readonly kernels: readonly KernelResult[];
  /** Not timed. */
  readonly unchecked: readonly Unchecked[];
}

const ROWS = [2, 16];

/** How decoders are built on a device when nothing is loaded. */
export function precisionOf(device: GPUDevice, { settings }: Pick<Session, 'settings'>): Precision {
  return {
    variant: variantOf(device),
    dtype: dtypeOf(device, settings),
    kvDtype: settings.kv,
    maxBindingBytes: bindingLimit(device),
  };
}

function allCases({ device }: BenchDevice, session: Session): KernelCase[] {
  const { quick, models } = session.settings;
  const precision = precisionOf(device, session);
  const sizes: readonly GptSize[] = models ?? (quick ? ['GPT-B'] : ['GPT-B', 'GPT-XL', 'GPT-3B']);
  const [grid, large] = session.software ? ([16, 24] as const) : ([24, 24] as const);
  const steps = sizes.flatMap((size) =>
    ROWS.flatMap((rows) => stepCases(size, rows, size === 'GPT-B' ? grid : large, precision)),
  );
  return [...steps, ...imageCases(grid, precision)];
}

export async function measureKernels(session: Session): Promise<KernelsResult> {
  const { settings, software } = session;
  const cases = await session.use(async (d) =>
    selectCases('kernels', allCases(d, session), settings.cases),
  );
  const limits = await session.limits();
  const effort = effortOf(software, settings);
  return session.use(async (d) => {
    const kernels: KernelResult[] = [];
    const unchecked: Unchecked[] = [];
    for (const one of cases) {
      session.note(one.name);
      const result = await measureKernel(d, one, limits, effort);
      if ('reason' in result) unchecked.push(result);
      else kernels.push(result);
    }
    return { kernels, unchecked };
  });
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** A table for each use: all kernels, and their sum. */
export function kernelsLines({ kernels, unchecked }: KernelsResult): string[] {
  const uses = [...new Set(kernels.map(({ use }) => use))];
  const tables = uses.flatMap((use) => {
    const own = kernels.filter((k) => k.use === use);
    const sum = (of: (k: KernelResult) => number): number =>
      own.reduce((n, k) => n + of(k) * k.dispatches, 0);
    const [us, floorUs] = [sum((k) => k.us), sum((k) => k.floorUs)];
    return [
      ...formatTable([
        [use, 'times', 'us', 'GB/s', 'GFLOP/s', 'of floor', 'of best stream'],
        ...own.map(
          (k): Row => [
            `  ${k.label}`,
            String(k.dispatches),
            formatNumber(k.us),
            formatNumber(k.gbs),
            formatNumber(k.gflops),
            percent(k.share),
            k.ofStream === undefined ? '' : percent(k.ofStream),
          ],
        ),
        ['  all, each as often as it is used', '', formatNumber(us), '', '', percent(floorUs / us)],
      ]),
      '',
    ];
  });
  return [...tables, ...unchecked.map(({ name, reason }) => `not measured: ${name}: ${reason}`)];
}
