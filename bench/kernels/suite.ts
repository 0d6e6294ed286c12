/** `kernels`: every kernel of a step and of an image, each against the machine's limits. */
import type { GptSize } from '../../src/models/gpt-config.ts';
import type { BenchDevice, Session } from '../session.ts';
import { selectCases } from '../settings.ts';
import { formatNumber, percent, type Row, type Table } from '../table.ts';
import { imageCases, type KernelCase, samplerCases, stepCases } from './cases.ts';
import { checkKernel } from './check.ts';
import { type KernelResult, timeKernel } from './measure.ts';

export interface KernelsResult {
  readonly kernels: readonly KernelResult[];
  /** Not timed. */
  readonly unchecked: readonly { readonly name: string; readonly reason: string }[];
}

const ROWS = [2, 16];

function allCases({ device }: BenchDevice, session: Session): KernelCase[] {
  const { quick, models } = session.settings;
  const precision = session.precision(device);
  const sizes: readonly GptSize[] = models ?? (quick ? ['GPT-B'] : ['GPT-B', 'GPT-XL', 'GPT-3B']);
  const [grid, large] = session.software ? ([16, 24] as const) : ([24, 24] as const);
  const steps = sizes.flatMap((size) =>
    ROWS.flatMap((rows) => stepCases(size, rows, size === 'GPT-B' ? grid : large, precision)),
  );
  const samplers = ROWS.flatMap((rows) => samplerCases(rows, precision));
  return [...steps, ...samplers, ...imageCases(grid, precision)];
}

/** Compares all kernels with their oracles first, so that the device is busy from then on. */
export async function measureKernels(session: Session): Promise<KernelsResult> {
  const { settings, effort } = session;
  const limits = await session.limits();
  return session.use(async (d) => {
    const cases = selectCases('kernels', allCases(d, session), settings.cases);
    const unchecked: KernelsResult['unchecked'][number][] = [];
    for (const one of cases) {
      session.note(`${one.name}: check`);
      const reason = await checkKernel(d.device, one.kernel);
      if (reason) unchecked.push({ name: one.name, reason });
    }
    const kernels: KernelResult[] = [];
    for (const one of cases) {
      if (unchecked.some(({ name }) => name === one.name)) continue;
      session.note(one.name);
      kernels.push(await timeKernel(d, one, limits, effort));
    }
    return { kernels, unchecked };
  });
}

/** A table for each use: all kernels, and their sum. */
export function kernelsTables({ kernels }: KernelsResult): Table[] {
  const uses = [...new Set(kernels.map(({ use }) => use))];
  return uses.map((use): Table => {
    const own = kernels.filter((k) => k.use === use);
    const sum = (of: (k: KernelResult) => number): number =>
      own.reduce((n, k) => n + of(k) * k.dispatches, 0);
    const [us, floorUs] = [sum((k) => k.us), sum((k) => k.floorUs)];
    return [
      [use, 'times', 'us', 'GB/s', 'GFLOP/s', 'of floor', 'bound by'],
      ...own.map(
        (k): Row => [
          `  ${k.label}`,
          String(k.dispatches),
          ...[k.us, k.gbs, k.gflops].map(formatNumber),
          percent(k.share),
          k.bound,
        ],
      ),
      ...(us > 0 ? [sumOf(us, floorUs)] : []),
    ];
  });
}

const sumOf = (us: number, floorUs: number): Row => [
  '  all, each as often as it is used',
  ...['', formatNumber(us), '', '', percent(floorUs / us)],
];

export const kernelsNotes = ({ unchecked }: KernelsResult): string[] =>
  unchecked.map(({ name, reason }) => `not measured: ${name}: ${reason}`);
