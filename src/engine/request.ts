/** What an engine is asked for, and what it tells of it. */
import type { Sampling } from '../../kernels/sampler/sequence-table.ts';
import { OptionError } from '../errors.ts';
import { type CaptionFeatures, checkCaption } from '../models/caption.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import type { ModelJson } from '../models/model-json.ts';
import {
  type Check,
  type Checks,
  checkOptions,
  checkValue,
  flag,
  integer,
  numbers,
} from '../options.ts';
import { MOST_ROWS } from './best-window.ts';
import { type Picture, pictureSize } from './images.ts';
import { checkTarget, type PictureTarget } from './picture-target.ts';
import { SAMPLING, type SamplingOptions, samplingOf } from './sampling-options.ts';

/** One image to be. Requests of any settings run side by side. */
export interface ImageRequest extends SamplingOptions {
  /** Of a model of classes. */
  readonly classIndex?: number | undefined;
  /** Of a model of texts: what its text encoder makes of a prompt. */
  readonly caption?: CaptionFeatures | undefined;
  /** An integer from 0 to 2^53 - 1. Default 0. */
  readonly seed?: number | undefined;
  /** Tokens that the grid begins with, row by row; the rest is drawn. Default none. */
  readonly prefix?: ArrayLike<number> | undefined;
  /** Tokens from one `preview` event to the next. Default: there are none. */
  readonly previewEvery?: number | undefined;
  /** Tokens from one `tokens` event with the grid so far to the next. Default: none has it. */
  readonly gridEvery?: number | undefined;
  /** Whether tokens become a picture. Default true. */
  readonly pixels?: boolean | undefined;
  /**
   * A texture or buffer of the model's device, which the picture goes into without being read: when the
   * event `image` comes it is there for whatever is submitted from then on. Previews are read still.
   */
  readonly into?: PictureTarget | undefined;
  /**
   * Positions that a pass computes, from 1 to 64: the first draws a token, the others guess at it and save
   * passes where they are right. The tokens are the same whatever it is. Other requests may leave
   * it fewer. Default `auto`: as many as pay.
   */
  readonly window?: number | 'auto' | undefined;
}

/** What happens to a request, in this order; `tokens` and `preview` come again and again. */
export type EngineEvent =
  /** It waits for slots; so many requests come before it. */
  | { readonly type: 'queued'; readonly ahead: number }
  | { readonly type: 'started' }
  /** So many of its tokens are known. Those that nobody took make way for the latest. */
  | {
      readonly type: 'tokens';
      readonly done: number;
      readonly total: number;
      /** Passes that it took so far. */
      readonly passes?: number | undefined;
      /** Those that are known, row by row, where `gridEvery` asks for them. */
      readonly tokens?: Uint32Array<ArrayBuffer> | undefined;
    }
  /** The picture so far; what is not drawn yet is transparent. */
  | { readonly type: 'preview'; readonly done: number; readonly picture: Picture }
  | {
      readonly type: 'image';
      /** u32 [blockSize], row by row. */
      readonly tokens: Uint32Array<ArrayBuffer>;
      /** Unless `pixels` is false, or it went `into` a target. */
      readonly picture?: Picture | undefined;
      /** Passes that it was computed in. */
      readonly passes: number;
      /** What turning tokens into pixels took. */
      readonly decodeMs: number;
    }
  | { readonly type: 'done' };

/** A request that was checked. */
export interface CheckedRequest {
  /** Its class, where classes are the condition. */
  readonly label: number | undefined;
  /** Where text is: a copy of what was given. */
  readonly caption: CaptionFeatures | undefined;
  readonly sampling: Sampling;
  readonly guided: boolean;
  readonly prefix: readonly number[];
  readonly previewEvery: number | undefined;
  readonly gridEvery: number | undefined;
  readonly pixels: boolean;
  readonly into: PictureTarget | undefined;
  readonly window: number | 'auto';
}

/** Of a request or of a call: from one position to as many as a pass may have rows. */
export const WINDOW: Check = (value) =>
  value === 'auto' || (typeof value === 'number' && !integer(1, MOST_ROWS)(value))
    ? undefined
    : `an integer from 1 to ${MOST_ROWS} or "auto"`;

/** The window that there can be: no larger than the grid, nor than the rows of a pass. */
export function fittingWindow(
  asked: number | 'auto',
  blockSize: number,
  guided: boolean,
): number | 'auto' {
  return asked === 'auto' ? asked : Math.min(asked, blockSize, MOST_ROWS / (guided ? 2 : 1));
}

const REQUEST: Checks<ImageRequest> = {
  ...SAMPLING,
  classIndex: integer(0),
  caption: () => undefined, // of which more is said where it is read
  seed: integer(0),
  prefix: numbers,
  previewEvery: integer(1),
  gridEvery: integer(1),
  pixels: flag,
  into: () => undefined, // likewise
  window: WINDOW,
};

/**
 * Fills in the model's settings.
 * @param capacity Slots of the engine.
 * @throws OptionError that names what cannot be, with numbers.
 */
export function checkRequest(
  config: ModelJson,
  request: ImageRequest,
  capacity: number,
): CheckedRequest {
  checkOptions('submit', request, REQUEST);
  const { blockSize, vocabSize } = config.gpt;
  const { seed = 0, previewEvery, gridEvery, pixels = true } = request;
  const { window: asked = 'auto' } = request;
  const condition = checkCondition(config.gpt, request);
  const prefix = Array.from(request.prefix ?? []);
  if (prefix.length > blockSize) {
    throw new OptionError(
      `"prefix" has ${prefix.length} tokens, and the grid of this model has ${blockSize}`,
    );
  }
  const isToken = integer(0, vocabSize - 1);
  for (const token of prefix) checkValue('prefix: token', token, isToken);
  const sampling = { ...samplingOf(config, request), seed, given: prefix.length };
  const guided = sampling.cfgScale > 1;
  const slots = guided ? 2 : 1;
  if (slots > capacity) {
    throw new OptionError(
      `a ${guided ? 'guided ' : ''}request takes ${slots} slots, and this engine has a capacity of ${capacity}`,
    );
  }
  const window = fittingWindow(asked, blockSize, guided);
  const wishes = { previewEvery, gridEvery, pixels, into: checkInto(config, request) };
  return { ...condition, sampling, guided, prefix, ...wishes, window };
}

function checkInto(
  { gpt, vq }: ModelJson,
  { into, pixels }: Pick<ImageRequest, 'into' | 'pixels'>,
): PictureTarget | undefined {
  if (into === undefined) return undefined;
  if (pixels === false) throw new OptionError('"into" needs pixels, and "pixels" is false');
  return checkTarget('into', into, pictureSize(vq, [gpt.gridSize, gpt.gridSize]));
}

/** What an image is of: the one of both that the model takes. */
function checkCondition(
  config: GptConfig,
  { classIndex, caption }: Pick<ImageRequest, 'classIndex' | 'caption'>,
): Pick<CheckedRequest, 'label' | 'caption'> {
  const takes = takenBy(config);
  if (config.modelType === 'c2i') {
    if (caption !== undefined) throw new OptionError(`${takes}: give "classIndex", not "caption"`);
    // An engine takes the unconditional class too, as the official sampler does.
    checkValue('classIndex', classIndex, integer(0, config.numClasses));
    return { label: classIndex, caption };
  }
  if (classIndex !== undefined) throw new OptionError(`${takes}: give "caption", not "classIndex"`);
  if (caption === undefined) throw new OptionError(`${takes}: "caption" is missing`);
  checkCaption(config, caption, 'caption');
  return { label: undefined, caption: { ...caption, values: caption.values.slice() } };
}

/** What a model is conditioned on, in a message. */
export const takenBy = ({ modelType, numClasses, captionDim, clsTokenNum }: GptConfig): string =>
  modelType === 'c2i'
    ? `this model makes images of ${numClasses} classes and takes no text`
    : `this model makes images of texts and has no classes: it takes features of up to ${clsTokenNum} tokens of ${captionDim}`;
