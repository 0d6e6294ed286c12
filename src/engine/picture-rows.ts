/** Pixels of a decoder on their way into textures and buffers of an app. */
import { NO_FLAW, textureRows } from '../../kernels/conv/texture-rows.ts';
import { build, type Program } from '../gpu/program.ts';
import { Reader } from '../gpu/readback.ts';
import { Graph } from '../graph/graph.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import type { Network } from '../load/network.ts';
import { copyInto, type PictureTarget, type RowLayout } from './picture-target.ts';

/** Pixels of an image that are not finite. */
export interface Flaws {
  readonly count: number;
  /** The index of the first, row by row. */
  readonly first: number;
}

/** What became of one image. */
export interface Sent {
  /** Where there are any, the target was left alone. */
  readonly flaws: Flaws;
  /** When the device has taken the copy into the target. */
  readonly copied: Promise<void>;
}

export interface PictureRows {
  /** Copies the pixels that are in `rgba` now, of each image into the target of its place. */
  send(targets: readonly PictureTarget[]): Promise<readonly Sent[]>;
  destroy(): void;
}

/**
 * Builds what lays out pixels as targets of one layout take them.
 * @param source The buffer of `rgba`, u32 [images, height, width] of `toRgba`.
 */
export async function pictureRows(
  { memory, watch }: Pick<Network<unknown>, 'memory' | 'watch'>,
  rgba: Tensor,
  source: GPUBuffer,
  layout: RowLayout,
): Promise<PictureRows> {
  const [images = 0, height = 0, width = 0] = rgba.shape;
  const g = new Graph();
  const pixels = g.state('pixels', rgba.dtype, rgba.shape);
  const flaws = g.state('flaws', 'u32', [images, 2]);
  const kernel = textureRows({ images, height, width, ...layout });
  const { rows } = g.call(kernel, { rgba: pixels, flaws });
  const shared = new Map([[pixels, source]]);
  const program: Program = await watch.race(
    build(memory, g, { weights: new Map(), shared, keep: [rows] }),
  );
  const reader = new Reader(memory, 'flaws', byteLength(flaws));
  const none = Uint32Array.from({ length: 2 * images }, (_, i) => (i % 2 === 0 ? NO_FLAW : 0));
  const { device } = memory;
  const copy = (target: PictureTarget, image: number): Promise<void> =>
    memory.checked('copying a picture into its target', () => {
      const encoder = device.createCommandEncoder();
      const offset = 4 * image * height * layout.stride;
      copyInto(encoder, program.bufferOf(rows), offset, target, { width, height });
      device.queue.submit([encoder.finish()]);
    });
  return {
    async send(targets) {
      const cleared = memory.checked('clearing the flaws', () =>
        device.queue.writeBuffer(program.bufferOf(flaws), 0, none),
      );
      await watch.race(Promise.all([cleared, program.run()]));
      const found = new Uint32Array(await watch.race(reader.read(program.bufferOf(flaws))));
      return targets.map((target, image) => {
        const [first = 0, count = 0] = found.subarray(2 * image);
        const copied = count === 0 ? copy(target, image) : Promise.resolve();
        return { flaws: { first, count }, copied: watch.race(copied) };
      });
    },
    destroy() {
      program.destroy();
      reader.destroy();
    },
  };
}
