/** The parts of the page, one for each suite. Those that were not measured are empty. */
import type { KernelResult } from '../kernels/measure.ts';
import type { Results } from '../suites.ts';
import { formatNumber } from '../table.ts';
import { type Bar, bars, curves, escapeText, type Line } from './svg.ts';

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
/** Milliseconds, or seconds from ten on. */
const duration = (ms: number): string =>
  ms < 10_000 ? `${formatNumber(ms)} ms` : `${formatNumber(ms / 1000)} s`;
/** A plot, which readers that show no pictures are told of by its caption. */
const figure = (svg: string, caption: string): string =>
  `<figure>${svg.replace('<svg', `<svg role="img" aria-label="${escapeText(caption)}"`)}<figcaption>${escapeText(caption)}</figcaption></figure>`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (tag: 'th' | 'td', cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('')}</tr>`;
  return `<div class="wide"><table>${line('th', head)}${rows.map((cells) => line('td', cells)).join('')}</table></div>`;
}

export function limitsSection({ limits }: Results): string[] {
  if (!limits) return [];
  const { bandwidth, products, latency, streams, bestGflops } = limits;
  const fastest = (rates: readonly { gflops: number }[]): number =>
    Math.max(...rates.map(({ gflops }) => gflops));
  const facts = [
    ['copy of a buffer, GB/s', bandwidth.copyGBs],
    ['copy by a kernel, GB/s', bandwidth.kernelCopyGBs],
    ['sum by a kernel, GB/s', bandwidth.kernelReadGBs],
    ['multiply-adds in registers, GFLOP/s', fastest(products.registers)],
    [`matrix product, GFLOP/s`, products.bestGflops],
    ['best product of all, GFLOP/s', bestGflops],
    ['dispatch on the device, us', latency.dispatchUs],
    ['encode a dispatch, us', latency.encodeUs],
    ['submit, us', latency.submitUs],
    ['submit and wait, us', latency.roundTripUs],
    ['read back 4 bytes, us', latency.readbackUs],
  ] as const;
  return [
    '<h3>Limits of the machine</h3>',
    table(
      ['limit', ''],
      facts.map(([name, value]) => [name, formatNumber(value)]),
    ),
    figure(
      bars(
        streams.map((s) => ({
          label: `${s.dtype} [${s.outDim}, ${s.inDim}], ${s.rows} rows`,
          value: s.gbs,
          text: `${formatNumber(s.gbs)} GB/s`,
        })),
      ),
      'Weights read once for a product of few rows, by the best of several micro-kernels.',
    ),
  ];
}

export function generateSection({ generate }: Results): string[] {
  if (!generate) return [];
  const { steps, images, secondsPerImage } = generate;
  const pairs = steps.flatMap((s): Bar[] => [
    { label: s.name, value: s.stepMs.min, text: duration(s.stepMs.min) },
    { label: 'its floor', value: s.floorMs, text: duration(s.floorMs), colour: 2 },
  ]);
  const decodes = images.flatMap((i): Bar[] => [
    { label: i.name, value: i.decodeMs.min, text: duration(i.decodeMs.min), colour: 1 },
    { label: 'its floor', value: i.floorMs, text: duration(i.floorMs), colour: 2 },
  ]);
  const head = [
    '',
    'weights',
    'ms',
    'steps/s',
    'of floor',
    'encode, us',
    'waits for JS',
    's per image',
    'GPU MB',
  ];
  return [
    '<h3>A decoding step, and an image from its codes</h3>',
    figure(
      bars(pairs, { log: true }),
      'One step with guidance (two rows a class) and the time its bytes need; logarithmic.',
    ),
    ...(decodes.length > 0
      ? [
          figure(
            bars(decodes, { log: true }),
            'VQ-16, one image, and the time its multiply-adds need; logarithmic.',
          ),
        ]
      : []),
    table(
      head,
      steps.map((s) => {
        const seconds = secondsPerImage[s.name];
        const { weights, state, temp } = s.memory;
        return [
          s.name,
          s.dtype,
          formatNumber(s.stepMs.min),
          formatNumber(1000 / s.stepMs.min),
          percent(s.floorShare),
          formatNumber(s.encodeUs),
          percent(s.waitShare),
          seconds === undefined ? '' : formatNumber(seconds),
          formatNumber((weights + state + temp) / 1e6),
        ];
      }),
    ),
  ];
}

export function scalingSection({ scaling }: Results): string[] {
  if (!scaling) return [];
  const plots = (['batch', 'grid', 'model'] as const).flatMap((series) => {
    const own = scaling.steps.filter((s) => s.series === series);
    if (own.length === 0) return [];
    const xOf = (s: (typeof own)[number]): number =>
      series === 'batch' ? s.classes : series === 'grid' ? s.grid : s.memory.weights / 1e9;
    const lines: Line[] = [
      { name: 'step', points: own.map((s) => [xOf(s), s.stepMs.min]) },
      { name: 'floor', points: own.map((s) => [xOf(s), s.floorMs]), colour: 2, dashed: true },
    ];
    if (series === 'batch') {
      const each = own.map((s) => [xOf(s), s.stepMs.min / s.classes] as const);
      lines.push({ name: 'step / images', points: each, colour: 1 });
    }
    const label = (s: (typeof own)[number]): string =>
      series === 'batch' ? String(s.classes) : series === 'grid' ? `${s.grid}²` : s.model.slice(4);
    const xLabel = { batch: 'images side by side', grid: 'codes of an image', model: 'decoder' }[
      series
    ];
    const options = { xLabel, yLabel: 'ms', ticks: own.map((s) => [xOf(s), label(s)] as const) };
    const caption = {
      batch: 'GPT-B, 16 x 16.',
      grid: 'GPT-B, 1 class.',
      model: '24 x 24, 1 class.',
    }[series];
    return [figure(curves(lines, { ...options, logX: series !== 'grid' }), caption)];
  });
  const left = scaling.skipped.map(
    ({ name, reason }) => `<li>${escapeText(`${name}: ${reason}`)}</li>`,
  );
  return [
    '<h3>Scaling of a step</h3>',
    `<div class="pair">${plots.join('')}</div>`,
    ...(left.length > 0
      ? [`<p class="dim">Skipped:</p><ul class="dim">${left.join('')}</ul>`]
      : []),
  ];
}

export function kernelsSection({ kernels }: Results): string[] {
  if (!kernels) return [];
  const uses = [...new Set(kernels.kernels.map(({ use }) => use))];
  return [
    '<h3>Kernels against the roofline</h3>',
    '<p class="dim">Share of the floor of each kernel: the longer of its bytes over the bandwidth and its operations over the product rate. Blue is bound by memory, orange by multiply-adds. Beside each share stands the time that all dispatches of the kernel in a step or an image take, and for products what of the best micro-kernel’s rate of reading weights they reach.</p>',
    ...uses.flatMap((use) => {
      const own = kernels.kernels.filter((k) => k.use === use);
      return [
        `<h3>${escapeText(use)}</h3>`,
        figure(bars(own.map(kernelBar), { mark: 1, max: 1.25 }), caption(own)),
        details(own),
      ];
    }),
  ];
}

const kernelBar = (k: KernelResult): Bar => ({
  label: k.label,
  value: k.share,
  text:
    `${percent(k.share)}, ${duration((k.us * k.dispatches) / 1000)}` +
    (k.ofStream === undefined ? '' : `; ${percent(k.ofStream)} of best stream`),
  colour: k.bound === 'memory' ? 0 : 1,
});

function caption(own: readonly KernelResult[]): string {
  const sum = (of: (k: KernelResult) => number): number =>
    own.reduce((n, k) => n + of(k) * k.dispatches, 0);
  const [us, floorUs] = [sum((k) => k.us), sum((k) => k.floorUs)];
  return `All together ${duration(us / 1000)}, ${percent(floorUs / us)} of the floor. The dashed line is the limit.`;
}

const details = (own: readonly KernelResult[]): string =>
  `<details><summary>Numbers</summary>${table(
    ['kernel', 'times', 'us', 'GB/s', 'GFLOP/s', 'of floor', 'of best stream'],
    own.map((k) => [
      k.label,
      String(k.dispatches),
      formatNumber(k.us),
      formatNumber(k.gbs),
      formatNumber(k.gflops),
      percent(k.share),
      k.ofStream === undefined ? '' : percent(k.ofStream),
    ]),
  )}</details>`;

export function peersSection({ peers }: Results): string[] {
  if (!peers || peers.length === 0) return [];
  const tasks = [...new Set(peers.map(({ task }) => task))];
  const name = (row: (typeof peers)[number]): string => {
    const checks = row.robust === undefined ? '' : row.robust ? ', bounds checks' : '';
    return `${row.runtime} (${row.provider}${checks})`;
  };
  return [
    '<h3>Other runtimes on the same work</h3>',
    ...tasks.flatMap((task) => {
      const own = peers.filter((row) => row.task === task);
      const timed = own.filter((row) => row.ms);
      const failed = own.filter((row) => row.reason);
      return [
        `<h3>${escapeText(task)}</h3>`,
        figure(
          bars(
            timed.map((row) => ({
              label: name(row),
              value: row.ms?.min ?? 0,
              text: `${duration(row.ms?.min ?? 0)}${row.ratio === undefined ? '' : `, ${formatNumber(row.ratio)} x ours`}`,
              colour: row.ratio === undefined ? 0 : 1,
            })),
            { log: true },
          ),
          'Fastest runs, outputs compared first; logarithmic.',
        ),
        ...failed.map((row) => `<p class="dim">${escapeText(`${name(row)}: ${row.reason}`)}</p>`),
      ];
    }),
  ];
}
