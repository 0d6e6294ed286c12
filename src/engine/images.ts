/** Token grids to pixels. */
import { OptionError } from '../errors.ts';
import type { Profiler } from '../gpu/profiler.ts';
import { build, type Program } from '../gpu/program.ts';
import { Reader } from '../gpu/readback.ts';
import { Graph } from '../graph/graph.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import { checkModel, type Model } from '../load/model.ts';
import type { Network } from '../load/network.ts';
import { vqOptions } from '../models/vq-blocks.ts';
import type { VqConfig } from '../models/vq-config.ts';
import { type VqDecoder, vqDecoder } from '../models/vq-decoder.ts';
import {
  abortSignal,
  type Checks,
  callback,
  checkOptions,
  checkValue,
  integer,
  listOf,
  numbers,
  profiler as profilerCheck,
  show,
} from '../options.ts';
import { assertPixels } from './not-finite.ts';

/** A picture: 8-bit RGBA, row by row from the top. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

export interface DecodeOptions {
  /** Rows and columns of the token grid; default the grid of the decoder. */
  readonly grid?: readonly [height: number, width: number] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Times every dispatch of the last image. */
  readonly profiler?: Profiler | undefined;
}

export interface ImageDecoder {
  readonly program: Program;
  readonly vq: VqDecoder;
  /**
   * Decodes one grid of tokens that has been checked; with a profiler, timed by dispatch.
   * @param image Number of the image, for messages. Default 0.
   * @throws WeightsError when pixels are not finite.
   */
  decode(tokens: ArrayLike<number>, profiler?: Profiler, image?: number): Promise<Picture>;
  /** Frees its GPU memory; the weights stay. */
  destroy(): void;
}

const DECODE: Checks<DecodeOptions> = {
  grid: listOf('two integers from 1, rows and columns', integer(1), 2),
  signal: abortSignal,
  onProgress: callback,
  profiler: profilerCheck,
};

/**
 * Decodes token grids to pictures, one at a time, so that memory on the device does not grow with
 * their number.
 * @throws OptionError when a grid has another size or a token is outside the codebook, WeightsError
 * when the tokenizer gives pixels that are not finite.
 */
export async function decodeTokens(
  model: Model,
  grids: readonly ArrayLike<number>[],
  options: DecodeOptions = {},
): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for await (const picture of decodeEach(model, grids, options)) pictures.push(picture);
  return pictures;
}

/** `decodeTokens` for whoever lets go of a picture before the next one is made. */
export async function* decodeEach(
  model: Model,
  grids: readonly ArrayLike<number>[],
  options: DecodeOptions = {},
): AsyncGenerator<Picture, void> {
  checkModel('decodeTokens', model);
  checkOptions('decodeTokens', options, DECODE);
  checkValue('grids', grids, listOf('token grids', numbers));
  const { gridSize } = model.config.gpt;
  const { grid = [gridSize, gridSize], signal, onProgress, profiler } = options;
  for (const [i, tokens] of grids.entries()) checkGrid(model, tokens, grid, i);
  const compile = (): Promise<ImageDecoder> =>
    model.vq.exclusive(() => cachedDecoder(model.vq, grid));
  await (profiler?.phase('compile', compile) ?? compile());
  for (const [i, tokens] of grids.entries()) {
    signal?.throwIfAborted();
    const isLast = i === grids.length - 1;
    const picture = await decodePicture(model, { grid, tokens, index: i }, profiler, isLast);
    onProgress?.(i + 1, grids.length);
    yield picture;
  }
}

/** One grid of tokens, and the number of its image for messages. */
export interface GridToDecode {
  readonly grid: readonly [height: number, width: number];
  readonly tokens: ArrayLike<number>;
  readonly index: number;
}

/**
 * Decodes one grid of tokens that has been checked, with the cached decoder.
 * @param timed Whether the profiler times every dispatch.
 */
export async function decodePicture(
  model: Model,
  { grid, tokens, index }: GridToDecode,
  profiler?: Profiler,
  timed = false,
): Promise<Picture> {
  const end = profiler?.begin('decode');
  const picture = await model.vq.exclusive(async () => {
    const decoder = await cachedDecoder(model.vq, grid);
    return decoder.decode(tokens, timed ? profiler : undefined, index);
  });
  end?.();
  return picture;
}

/** The cached decoder of a tokenizer for a grid. Only inside its `exclusive`. */
export function cachedDecoder(
  network: Network<VqConfig>,
  grid: readonly [height: number, width: number],
): Promise<ImageDecoder> {
  return network.cached('image decoder', grid.join('x'), () => imageDecoder(network, grid));
}

/** Builds the VQ decoder of a tokenizer for one grid. It is the caller's: destroy it. */
export async function imageDecoder(
  network: Network<VqConfig>,
  [height, width]: readonly [height: number, width: number],
): Promise<ImageDecoder> {
  const { config, precision, memory, weights, watch } = network;
  const g = new Graph();
  const vq = vqDecoder(g, config, { images: 1, height, width }, vqOptions(precision));
  const program = await watch.race(build(memory, g, { weights, keep: [vq.rgba] }));
  const reader = new Reader(memory, 'pixels', byteLength(vq.rgba));
  const parts = { program, vq, reader };
  return {
    program,
    vq,
    decode: (tokens, profiler, image = 0) => runDecoder(network, parts, tokens, profiler, image),
    destroy() {
      program.destroy();
      reader.destroy();
    },
  };
}

interface DecoderParts {
  readonly program: Program;
  readonly vq: VqDecoder;
  readonly reader: Reader;
}

async function runDecoder(
  { memory, watch, precision }: Network<VqConfig>,
  { program, vq: { codes, rgba }, reader }: DecoderParts,
  tokens: ArrayLike<number>,
  profiler: Profiler | undefined,
  image: number,
): Promise<Picture> {
  const { device } = memory;
  const written = memory.checked('writing the tokens', () =>
    device.queue.writeBuffer(program.bufferOf(codes), 0, Uint32Array.from(tokens)),
  );
  const ran = profiler ? profiler.run(memory, program, 'image decode') : program.run();
  await watch.race(Promise.all([written, ran]));
  const end = profiler?.begin('readback');
  const bytes = await watch.race(reader.read(program.bufferOf(rgba)));
  end?.();
  const [height, width] = sides(rgba);
  assertPixels(new Uint32Array(bytes), width, precision, image);
  return { width, height, rgba: new Uint8ClampedArray(bytes) };
}

function sides({ shape }: Tensor): readonly [height: number, width: number] {
  const [, height = 0, width = 0] = shape;
  return [height, width];
}

function checkGrid(
  model: Model,
  tokens: ArrayLike<number>,
  [height, width]: readonly [number, number],
  index: number,
): void {
  const { codebookSize } = model.config.vq;
  if (tokens.length !== height * width) {
    throw new OptionError(
      `image ${index}: expected ${height} x ${width} = ${height * width} tokens, got ${tokens.length}`,
    );
  }
  const bad = Array.from(tokens).findIndex(
    (t) => !Number.isInteger(t) || t < 0 || t >= codebookSize,
  );
  if (bad >= 0) {
    throw new OptionError(
      `image ${index}: token ${bad} is ${show(tokens[bad])}, and the codebook of ${model.name} has the codes 0 .. ${codebookSize - 1}`,
    );
  }
}
