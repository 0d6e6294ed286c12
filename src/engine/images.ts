/** The programs that make pixels of token grids. */
import type { Profiler } from '../gpu/profiler.ts';
import { build, type Program } from '../gpu/program.ts';
import { Reader } from '../gpu/readback.ts';
import { Graph } from '../graph/graph.ts';
import { byteLength } from '../graph/tensor.ts';
import type { Network } from '../load/network.ts';
import { downsampleOf, type VqConfig } from '../models/vq-config.ts';
import type { VqDecoder } from '../models/vq-decoder.ts';
import { vqOptions } from '../models/vq-options.ts';
import { assertPixels } from './not-finite.ts';
import type { PictureRows, Sent } from './picture-rows.ts';
import { layoutOf, type PictureTarget } from './picture-target.ts';

/** A picture: 8-bit RGBA, row by row from the top. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** Rows and columns of a token grid. */
export type GridSize = readonly [height: number, width: number];

/** Pixels of the picture of a grid. */
export function pictureSize(
  config: VqConfig,
  [rows, columns]: GridSize,
): { readonly width: number; readonly height: number } {
  const pixels = downsampleOf(config);
  return { width: columns * pixels, height: rows * pixels };
}

export interface ImageDecoder {
  readonly program: Program;
  readonly vq: VqDecoder;
  /**
   * Decodes as many grids of tokens, which have been checked, as a run of it has images. Pixels of an image
   * have the same bits whatever their number. Whoever hands on a picture looks at it with `assertPicture`.
   * @param profiler Times every dispatch.
   */
  run(grids: readonly ArrayLike<number>[], profiler?: Profiler): Promise<readonly Picture[]>;
  /**
   * As `run`, but the pixels go into targets of one layout, one a grid. Whoever says that they are there
   * looks at their flaws with `assertFlawless`, and waits until they are copied.
   */
  runInto(
    grids: readonly ArrayLike<number>[],
    targets: readonly PictureTarget[],
    profiler?: Profiler,
  ): Promise<readonly Sent[]>;
  /**
   * Decodes one grid of tokens that has been checked, with a decoder of one image a run.
   * @throws WeightsError when pixels are not finite.
   */
  decode(tokens: ArrayLike<number>): Promise<Picture>;
  /** Frees its GPU memory; the weights stay. */
  destroy(): void;
}

/**
 * The cached decoder of a tokenizer for a grid: one for single images, and one for some number of several.
 * Only inside its `exclusive`.
 */
export function cachedDecoder(
  network: Network<VqConfig>,
  grid: GridSize,
  images = 1,
): Promise<ImageDecoder> {
  const kind = images === 1 ? 'image decoder' : 'decoder of several images';
  return network.cached(kind, `${images} of ${grid.join('x')}`, () =>
    imageDecoder(network, grid, images),
  );
}

/** Builds the VQ decoder of a tokenizer for some grids of one size. It is the caller's: destroy it. */
export async function imageDecoder(
  network: Network<VqConfig>,
  [height, width]: GridSize,
  images = 1,
): Promise<ImageDecoder> {
  const { config, precision, memory, weights, watch } = network;
  const { vqDecoder } = await import('../models/vq-decoder.ts');
  const g = new Graph();
  const vq = vqDecoder(g, config, { images, height, width }, vqOptions(precision));
  const program = await watch.race(build(memory, g, { weights, keep: [vq.rgba] }));
  const reader = new Reader(memory, 'pixels', byteLength(vq.rgba));
  const laid = new Map<string, PictureRows>();
  const run: ImageDecoder['run'] = async (grids, profiler) => {
    await runDecoder(network, { program, vq }, grids, profiler);
    return readPictures(network, { program, vq, reader }, profiler);
  };
  return {
    program,
    vq,
    run,
    async runInto(grids, targets, profiler) {
      const [target] = targets;
      if (!target) throw new RangeError('a run without targets');
      const layout = layoutOf(target, vq.rgba.shape[2] ?? 0);
      const key = JSON.stringify(layout); // one of three
      const source = program.bufferOf(vq.rgba);
      const { pictureRows } = await import('./picture-rows.ts');
      const rows = laid.get(key) ?? (await pictureRows(network, vq.rgba, source, layout));
      laid.set(key, rows);
      await runDecoder(network, { program, vq }, grids, profiler);
      return rows.send(targets);
    },
    async decode(tokens) {
      const [picture] = await run([tokens]);
      if (!picture) throw new RangeError('a run without pictures');
      assertPicture(network, picture, 0);
      return picture;
    },
    destroy() {
      program.destroy();
      reader.destroy();
      for (const rows of laid.values()) rows.destroy();
    },
  };
}

/**
 * @param image Its number, for the message.
 * @throws WeightsError when pixels of a picture are not finite.
 */
export function assertPicture(
  { precision }: Network<VqConfig>,
  { rgba, width }: Picture,
  image: number,
): void {
  assertPixels(
    new Uint32Array(rgba.buffer, rgba.byteOffset, rgba.length / 4),
    width,
    precision,
    image,
  );
}

interface DecoderParts {
  readonly program: Program;
  readonly vq: VqDecoder;
}

/** Makes pixels of as many grids as the decoder has images. */
async function runDecoder(
  { memory, watch }: Network<VqConfig>,
  { program, vq: { codes } }: DecoderParts,
  grids: readonly ArrayLike<number>[],
  profiler: Profiler | undefined,
): Promise<void> {
  const { device } = memory;
  const [images = 0, length = 0] = codes.shape;
  if (grids.length !== images) {
    throw new RangeError(`a decoder of ${images} images was given ${grids.length} grids`);
  }
  const all = new Uint32Array(images * length);
  for (const [i, tokens] of grids.entries()) all.set(tokens, i * length);
  const written = memory.checked('writing the tokens', () =>
    device.queue.writeBuffer(program.bufferOf(codes), 0, all),
  );
  const ran = profiler ? profiler.run(memory, program, 'image decode') : program.run();
  await watch.race(Promise.all([written, ran]));
}

/** Reads the pixels of all images. */
async function readPictures(
  { watch }: Network<VqConfig>,
  { program, vq: { rgba }, reader }: DecoderParts & { readonly reader: Reader },
  profiler: Profiler | undefined,
): Promise<readonly Picture[]> {
  const end = profiler?.begin('readback');
  const bytes = await watch.race(reader.read(program.bufferOf(rgba)));
  end?.();
  const [images = 0, height = 0, width = 0] = rgba.shape;
  const size = 4 * height * width;
  // Each has memory of its own, so that it can be let go.
  return Array.from({ length: images }, (_, i) => {
    const own = images === 1 ? bytes : bytes.slice(i * size, (i + 1) * size);
    return { width, height, rgba: new Uint8ClampedArray(own) };
  });
}
