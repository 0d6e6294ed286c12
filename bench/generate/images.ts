/** Decoding images with VQ-16 and random weights. */
import { costOf } from '../../kernels/cost.ts';
import { imageDecoder } from '../../src/engine/images.ts';
import { floorUs } from '../../src/gpu/limits.ts';
import { Graph } from '../../src/graph/graph.ts';
import type { MemoryUse } from '../../src/index.ts';
import type { Precision } from '../../src/models/precision.ts';
import { VQ_16 } from '../../src/models/vq-config.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { vqOptions } from '../../src/models/vq-options.ts';
import { deviceLimits, type Limits } from '../limits.ts';
import { randomNetwork } from '../random-network.ts';
import { Refusal } from '../refusal.ts';
import { repeat, type Timing, timed, timing } from '../repeat.ts';
import { SameCheck } from '../same-check.ts';
import type { BenchDevice } from '../session.ts';

export interface ImageResult {
  readonly name: string;
  readonly grid: number;
  /** Decoded in one run. */
  readonly images: number;
  readonly buildMs: number;
  readonly dispatches: number;
  /** All of them, pixels read back. */
  readonly decodeMs: Timing;
  readonly floorMs: number;
  readonly floorShare: number;
  readonly memory: MemoryUse;
}

const PLAIN = {
  variant: { reduce: 'serial', f16: false },
  tiles: { conv: { method: 'direct' } },
} as const;

/** @throws Refusal when the pixels are all one colour; Error when two decodes differ. */
export async function measureImage(
  d: BenchDevice,
  grid: number,
  precision: Precision,
  limits: Limits,
  runs: number,
  images = 1,
): Promise<ImageResult> {
  const shape = { images, height: grid, width: grid };
  const how = vqOptions(precision);
  const network = await randomNetwork(d.memory, VQ_16, precision, (g) => {
    vqDecoder(g, VQ_16, shape, how);
  });
  const built = await timed(() => imageDecoder(network, [grid, grid], images));
  const decoder = built.result;
  // A step without a common factor with the number of codes visits each of them once.
  const grids = Array.from({ length: images }, (_, image) =>
    Uint32Array.from({ length: grid * grid }, (_, i) => ((i + image) * 6151) % VQ_16.codebookSize),
  );
  const same = new SameCheck('byte');
  const times = await repeat(runs, async (run) => {
    const { ms, result } = await timed(() => decoder.run(grids));
    for (const [image, { rgba }] of result.entries()) {
      same.check(`decode ${run} at ${grid}x${grid}`, image, rgba);
      if (rgba.every((byte, i) => byte === rgba[i % 4])) {
        throw new Refusal(`decode at ${grid}x${grid}: all pixels are alike: nothing is reported`);
      }
    }
    return ms;
  });
  const decodeMs = timing(times);
  // The multiply-adds of plain convolutions, however this adapter makes them.
  const g = new Graph();
  vqDecoder(g, VQ_16, shape, { ...how, ...PLAIN });
  const least = deviceLimits(limits);
  const floorMs = g.nodes.reduce((us, { kernel }) => us + floorUs(costOf(kernel), least), 0) / 1000;
  return {
    name: `VQ-16 ${grid}x${grid}${images > 1 ? `, ${images} images` : ''}`,
    ...{ grid, images, buildMs: built.ms, decodeMs, floorMs },
    dispatches: decoder.program.steps.length,
    floorShare: floorMs / decodeMs.min,
    memory: d.memory.use,
  };
}
