/** Pixels to tokens: the way back of `decodeTokens`. */

import type { Picture } from '../engine/images.ts';
import { assertCodes } from '../engine/not-finite.ts';
import { OptionError } from '../errors.ts';
import { build } from '../gpu/program.ts';
import { readBuffer } from '../gpu/readback.ts';
import { Graph } from '../graph/graph.ts';
import { checkModel, type Model } from '../load/model.ts';
import type { Destroyable, Network } from '../load/network.ts';
import { downsampleOf, type VqConfig } from '../models/vq-config.ts';
import { vqEncoder } from '../models/vq-encoder.ts';
import { vqOptions } from '../models/vq-options.ts';
import {
  abortSignal,
  bytes,
  type Checks,
  callback,
  checkOptions,
  checkValue,
  having,
  listOf,
  show,
} from '../options.ts';

export interface EncodeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** A picture as tokens. */
export interface TokenGrid {
  /** Rows of tokens. */
  readonly height: number;
  /** Columns of tokens. */
  readonly width: number;
  /** Row by row: u32 [height * width]. */
  readonly tokens: Uint32Array<ArrayBuffer>;
}

const ENCODE: Checks<EncodeOptions> = { signal: abortSignal, onProgress: callback };

/**
 * Encodes pictures with the tokenizer of a model that was loaded with `encoder: true`, one at a time.
 * What is transparent counts as white.
 * @throws OptionError when the model has no encoder or a side is not a multiple of its downsampling,
 * WeightsError when the tokenizer gives latents that are not finite.
 */
export async function encodePictures(
  model: Model,
  pictures: readonly Picture[],
  options: EncodeOptions = {},
): Promise<TokenGrid[]> {
  checkModel('encodePictures', model);
  checkOptions('encodePictures', options, ENCODE);
  checkValue('pictures', pictures, listOf('pictures', having('a picture')));
  const { vq } = model;
  if (!vq.weights.has('quant_conv.weight')) {
    throw new OptionError(
      `${model.name} was loaded without its encoder: load it with encoder: true`,
    );
  }
  return encodeWith(vq, pictures, options);
}

/**
 * Encodes pictures with a tokenizer that has its encoder.
 * @throws As `encodePictures`.
 */
export async function encodeWith(
  vq: Network<VqConfig>,
  pictures: readonly Picture[],
  { signal, onProgress }: EncodeOptions = {},
): Promise<TokenGrid[]> {
  const factor = downsampleOf(vq.config);
  for (const [i, picture] of pictures.entries()) checkPicture(picture, factor, i);
  return vq.exclusive(async () => {
    const grids: TokenGrid[] = [];
    for (const { width, height, rgba } of pictures) {
      signal?.throwIfAborted();
      const make = () => encoderOf(vq, height, width);
      const encoder = await vq.cached('image encoder', `${height}x${width}`, make);
      const tokens = await encoder.encode(toFloats(rgba));
      assertCodes(tokens, vq.precision, grids.length);
      grids.push({ height: height / factor, width: width / factor, tokens });
      onProgress?.(grids.length, pictures.length);
    }
    return grids;
  });
}

interface Encoder extends Destroyable {
  /** @param pixels f32 [3, height, width] from -1 to 1. */
  encode(pixels: Float32Array<ArrayBuffer>): Promise<Uint32Array<ArrayBuffer>>;
}

async function encoderOf(
  network: Network<VqConfig>,
  height: number,
  width: number,
): Promise<Encoder> {
  const { config, precision, memory, weights, watch } = network;
  const g = new Graph();
  const { x, indices } = vqEncoder(g, config, { images: 1, height, width }, vqOptions(precision));
  const program = await watch.race(build(memory, g, { weights, keep: [indices] }));
  return {
    async encode(pixels) {
      const { queue } = memory.device;
      const written = memory.checked('writing the pixels', () =>
        queue.writeBuffer(program.bufferOf(x), 0, pixels),
      );
      await watch.race(Promise.all([written, program.run()]));
      const [, count = 0] = indices.shape;
      const buffer = program.bufferOf(indices);
      return new Uint32Array(await watch.race(readBuffer(memory, buffer, count * 4)));
    },
    destroy: () => program.destroy(),
  };
}

function checkPicture({ width, height, rgba }: Picture, factor: number, index: number): void {
  for (const [name, side] of Object.entries({ width, height })) {
    if (Number.isInteger(side) && side > 0 && side % factor === 0) continue;
    throw new OptionError(
      `picture ${index}: "${name}" expected a positive multiple of ${factor}, got ${show(side)}`,
    );
  }
  checkValue(`picture ${index}: rgba`, rgba, bytes);
  if (rgba.length !== width * height * 4) {
    throw new OptionError(
      `picture ${index}: expected ${width} x ${height} x 4 bytes, got ${rgba.length}`,
    );
  }
}

/** RGBA bytes to f32 [3, height, width] from -1 to 1, over white. */
function toFloats(rgba: Picture['rgba']): Float32Array<ArrayBuffer> {
  const plane = rgba.length / 4;
  const pixels = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    const alpha = (rgba[4 * i + 3] ?? 0) / 255;
    for (let c = 0; c < 3; c++) {
      const value = (rgba[4 * i + c] ?? 0) / 127.5 - 1;
      pixels[c * plane + i] = value * alpha + (1 - alpha);
    }
  }
  return pixels;
}
