/** The few lines that say how fast this is, and how far that is from what the machine can do. */
import type { Results } from './suites.ts';
import { formatNumber } from './table.ts';

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** Empty when nothing was measured that has a floor. */
export function summaryLines({ limits, kernels, generate }: Results): string[] {
  const lines: string[] = [];
  for (const s of generate?.steps ?? []) {
    const seconds = generate?.secondsPerImage[s.name];
    lines.push(
      `${s.name}: ${formatNumber(s.stepMs.min)} ms a step, ${percent(s.floorShare)} of the memory floor` +
        (seconds === undefined ? '' : `; ${formatNumber(seconds)} s an image with its pixels`),
    );
  }
  for (const image of generate?.images ?? []) {
    lines.push(
      `${image.name}: ${formatNumber(image.decodeMs.min / 1000)} s to decode an image, ` +
        `${percent(image.floorShare)} of the floor of its multiply-adds`,
    );
  }
  const products = kernels?.kernels.filter((k) => k.ofStream !== undefined) ?? [];
  const uses = [...new Set(products.map(({ use }) => use))];
  for (const use of uses) {
    const own = products.filter((k) => k.use === use);
    const spent = own.reduce((n, k) => n + k.us * k.dispatches, 0);
    const best = own.reduce((n, k) => n + k.us * k.dispatches * (k.ofStream ?? 0), 0);
    lines.push(
      `${use}: products of a step read weights at ${percent(best / spent)} of the best micro-kernel's rate`,
    );
  }
  if (lines.length === 0) return [];
  if (limits) {
    const { bandwidth, bestGflops } = limits;
    lines.push(
      `floors: ${formatNumber(bandwidth.bestGBs)} GB/s and ${formatNumber(bestGflops)} GFLOP/s, measured in this run`,
    );
  }
  return lines;
}
