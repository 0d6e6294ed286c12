/** Plots of the page, by suite. */
import type { KernelResult } from '../kernels/measure.ts';
import { SERIES } from '../scaling.ts';
import type { Results, SuiteName } from '../suites.ts';
import { formatNumber, percent } from '../table.ts';
import { type Bar, bars, curves, escapeText, type Line } from './svg.ts';

/** Figures of a suite that was measured; `limits` and `model` have tables only. */
export function figuresOf(name: SuiteName, results: Results): string[] {
  if (name === 'generate') return generateFigures(results);
  if (name === 'scaling') return scalingFigures(results);
  if (name === 'kernels') return kernelsFigures(results);
  return name === 'peers' ? peersFigures(results) : [];
}

/** Milliseconds, or seconds from ten on. */
const duration = (ms: number): string =>
  ms < 10_000 ? `${formatNumber(ms)} ms` : `${formatNumber(ms / 1000)} s`;

/** A plot, which readers that show no pictures are told of by its caption. */
const figure = (svg: string, caption: string): string =>
  `<figure>${svg.replace('<svg', `<svg role="img" aria-label="${escapeText(caption)}"`)}<figcaption>${escapeText(caption)}</figcaption></figure>`;

/** A time above the least it could be. */
const withFloor = (label: string, ms: number, floorMs: number, colour: number): Bar[] => [
  { label, value: ms, text: duration(ms), colour },
  { label: 'its floor', value: floorMs, text: duration(floorMs), colour: 2 },
];

function generateFigures({ generate }: Results): string[] {
  const { steps = [], images = [] } = generate ?? {};
  const pairs = steps.flatMap((s) => withFloor(s.name, s.stepMs.min, s.floorMs, 0));
  const decodes = images.flatMap((i) => withFloor(i.name, i.decodeMs.min, i.floorMs, 1));
  const caption = 'One step with guidance (two rows a class) and the time its bytes need';
  const ofImage = 'VQ-16, one image, and the time its multiply-adds need';
  return [
    figure(bars(pairs, { log: true }), `${caption}; logarithmic.`),
    ...(images.length > 0
      ? [figure(bars(decodes, { log: true }), `${ofImage}; logarithmic.`)]
      : []),
  ];
}

function scalingFigures({ scaling }: Results): string[] {
  type Step = NonNullable<Results['scaling']>['steps'][number];
  const axes = {
    batch: {
      x: (s: Step) => s.classes,
      tick: (s: Step) => String(s.classes),
      ...{ xLabel: 'images side by side', caption: 'GPT-B, 16 x 16.' },
    },
    grid: {
      x: (s: Step) => s.grid,
      tick: (s: Step) => `${s.grid}²`,
      ...{ xLabel: 'codes of an image', caption: 'GPT-B, 1 class.' },
    },
    model: {
      x: (s: Step) => s.memory.weights / 1e9,
      tick: (s: Step) => s.model.slice(4),
      ...{ xLabel: 'decoder', caption: '24 x 24, 1 class.' },
    },
  };
  const plots = SERIES.flatMap((series) => {
    const own = scaling?.steps.filter((s) => s.series === series) ?? [];
    if (own.length === 0) return [];
    const { x, tick, xLabel, caption } = axes[series];
    const line = (name: string, y: (s: Step) => number): Line => ({
      name,
      points: own.map((s) => [x(s), y(s)] as const),
    });
    const lines: Line[] = [
      line('step', (s) => s.stepMs.min),
      { ...line('floor', (s) => s.floorMs), colour: 2, dashed: true },
    ];
    if (series === 'batch') {
      lines.push({ ...line('step / images', (s) => s.stepMs.min / s.classes), colour: 1 });
    }
    const ticks = own.map((s) => [x(s), tick(s)] as const);
    const options = { xLabel, yLabel: 'ms', ticks, logX: series !== 'grid' };
    return [figure(curves(lines, options), caption)];
  });
  return [`<div class="pair">${plots.join('')}</div>`];
}

function kernelsFigures(results: Results): string[] {
  const { kernels = [] } = results.kernels ?? {};
  const uses = [...new Set(kernels.map(({ use }) => use))];
  return [
    '<p class="dim">Share of the floor of each kernel: the longer of its bytes over the bandwidth and its operations over the rate of multiply-adds. Blue is bound by memory, orange by multiply-adds. Beside each share stands the time that all dispatches of the kernel in a step or an image take.</p>',
    ...uses.flatMap((use) => {
      const own = kernels.filter((k) => k.use === use);
      return [
        `<h3>${escapeText(use)}</h3>`,
        figure(bars(own.map(kernelBar), { mark: 1, max: 1.25 }), 'The dashed line is the limit.'),
      ];
    }),
  ];
}

const kernelBar = (k: KernelResult): Bar => ({
  label: k.label,
  value: k.share,
  text: `${percent(k.share)}, ${duration((k.us * k.dispatches) / 1000)}`,
  colour: k.bound === 'memory' ? 0 : 1,
});

function peersFigures({ peers = [] }: Results): string[] {
  return [...new Set(peers.map(({ task }) => task))].map((task) => {
    const own = peers.flatMap(({ runtime, provider, robust, ms, ratio, ...row }): Bar[] => {
      if (row.task !== task || !ms) return [];
      const label = `${runtime} (${provider}${robust ? ', bounds checks' : ''})`;
      const times = ratio === undefined ? '' : `, ${formatNumber(ratio)} x ours`;
      return [{ label, value: ms.min, text: duration(ms.min) + times, colour: times ? 1 : 0 }];
    });
    return figure(bars(own, { log: true }), `${task}: fastest runs, outputs compared first.`);
  });
}
