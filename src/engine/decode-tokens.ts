/** Saved token grids to pictures. */
import { OptionError } from '../errors.ts';
import type { Profiler } from '../gpu/profiler.ts';
import { checkModel, type Model } from '../load/model.ts';
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
import { type Picture, pictureSize } from './images.ts';
import { pictureQueue } from './picture-queue.ts';
import { checkTarget, type PictureTarget } from './picture-target.ts';

export interface DecodeOptions {
  /** Rows and columns of the token grid; default the grid of the decoder. */
  readonly grid?: readonly [height: number, width: number] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Times every dispatch of the last image. */
  readonly profiler?: Profiler | undefined;
}

const DECODE: Checks<DecodeOptions> = {
  grid: listOf('two integers from 1, rows and columns', integer(1), 2),
  signal: abortSignal,
  onProgress: callback,
  profiler: profilerCheck,
};

/**
 * Decodes token grids to pictures, a few at a time (`imagesARun`), so that memory on the device does not
 * grow with their number.
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

/** `decodeTokens` for whoever lets go of a picture before the next ones are made. */
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
  const queue = pictureQueue(model.vq);
  const most = profiler ? 1 : await queue.most(grid);
  const compile = (): Promise<void> => queue.prepare(grid, profiler ? 1 : grids.length);
  await (profiler?.phase('compile', compile) ?? compile());
  for (let first = 0; first < grids.length; first += most) {
    signal?.throwIfAborted();
    const pictures = grids.slice(first, first + most).map((tokens, i) => {
      const index = first + i;
      const timed = index === grids.length - 1;
      return queue.decode({ grid, tokens, index }, profiler, timed);
    });
    for (const picture of pictures) picture.catch(() => {}); // told to whoever comes to it
    for (const [i, picture] of pictures.entries()) {
      const made = await picture;
      onProgress?.(first + i + 1, grids.length);
      yield made;
      signal?.throwIfAborted();
    }
  }
}

export interface DecodeIntoOptions {
  /** Rows and columns of the token grid; default the grid of the decoder. */
  readonly grid?: readonly [height: number, width: number] | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DECODE_INTO: Checks<DecodeIntoOptions> = { grid: DECODE.grid, signal: DECODE.signal };

/**
 * Decodes one token grid into a texture or buffer of the model's device. Its pixels are not read: whatever
 * is submitted when this has resolved finds them there. Nothing is written where it rejects because of them.
 * @throws OptionError when the grid has another size, a token is outside the codebook or the target cannot
 * take the picture; WeightsError when pixels are not finite; DeviceError when the device fails, as it does
 * for a target that was destroyed or is of another device.
 */
export async function decodeInto(
  model: Model,
  tokens: ArrayLike<number>,
  target: PictureTarget,
  options: DecodeIntoOptions = {},
): Promise<void> {
  checkModel('decodeInto', model);
  checkOptions('decodeInto', options, DECODE_INTO);
  checkValue('tokens', tokens, numbers);
  const { gridSize } = model.config.gpt;
  const { grid = [gridSize, gridSize], signal } = options;
  checkGrid(model, tokens, grid, 0);
  const into = checkTarget('target', target, pictureSize(model.config.vq, grid));
  signal?.throwIfAborted();
  const own = { grid, tokens: Uint32Array.from(tokens), index: 0 };
  await pictureQueue(model.vq).decodeInto(own, into);
  signal?.throwIfAborted();
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
