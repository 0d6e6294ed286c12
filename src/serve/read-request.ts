/** From the body of a request to what is to be drawn and how it is to be answered. */
import { resolveClass } from '../catalogue/classes.ts';
import { imagenetAliases } from '../catalogue/imagenet-classes.ts';
import { SAMPLING, type SamplingOptions } from '../engine/sampling-options.ts';
import { OptionError } from '../errors.ts';
import { checkOptions } from '../options.ts';
import { ApiError, badRequest } from './api-error.ts';
import type { ImageJob, ServedModel } from './backend.ts';
import { type GenerationBody, type OutputFormat, SAMPLING_FIELDS } from './request-schema.ts';

/** Pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A request that was understood. */
export interface Asked {
  readonly model: ServedModel;
  /** As a client called it. */
  readonly modelName: string;
  readonly condition: ImageJob['condition'];
  /** What the images are of, in words: the name of the class, or the prompt. */
  readonly subject: string;
  /** Image i draws with seed + i. */
  readonly seed: number;
  readonly count: number;
  readonly sampling: SamplingOptions;
  readonly size: Size;
  readonly format: OutputFormat;
  /** Of formats that lose something, from 0 to 100. */
  readonly quality: number;
  readonly response: 'b64_json' | 'url';
  readonly stream: boolean;
  readonly partialImages: number;
}

export interface ReadOptions {
  readonly models: readonly ServedModel[];
  /** Names that clients may give, and the models that they mean. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Whether images of other sizes are made of the model's. */
  readonly resize: boolean;
}

/** New seeds are below this, so that they are easy to type again. */
const RANDOM_SEEDS = 2 ** 31;
/** Longest side of a resized image. */
export const MAX_SIDE = 2048;

/** @throws ApiError, or OptionError for a setting of sampling, that names the field and what it may be. */
export function readRequest(body: GenerationBody, options: ReadOptions): Asked {
  const model = modelOf(body.model ?? undefined, options);
  const stream = body.stream ?? false;
  const partialImages = body.partial_images ?? 0;
  if (partialImages > 0 && !stream) {
    throw badRequest('"partial_images" needs "stream": true', 'partial_images');
  }
  return {
    model,
    modelName: body.model ?? model.name,
    ...conditionOf(model, body.prompt),
    seed: body.seed ?? Math.floor(Math.random() * RANDOM_SEEDS),
    count: body.n ?? 1,
    sampling: samplingOf(body),
    size: sizeOf(body.size ?? 'auto', model, options.resize),
    format: body.output_format ?? 'png',
    quality: body.output_compression ?? 100,
    response: body.response_format ?? 'b64_json',
    stream,
    partialImages,
  };
}

function modelOf(name: string | undefined, { models, aliases }: ReadOptions): ServedModel {
  const wanted = name === undefined ? undefined : (aliases.get(name) ?? name);
  const found = models.find((model) => wanted === undefined || model.name === wanted);
  if (found) return found;
  const known = [...models.map((model) => model.name), ...aliases.keys()].join(', ');
  const message = `the model "${name}" does not exist here; there is ${known}`;
  throw new ApiError(404, message, { param: 'model', code: 'model_not_found' });
}

function conditionOf(
  { classNames, modelType }: ServedModel,
  prompt: string,
): Pick<Asked, 'condition' | 'subject'> {
  if (modelType === 't2i') return { condition: { prompt }, subject: prompt };
  const name = prompt.replace(/^class:/i, '');
  try {
    const classIndex = resolveClass(classNames, name, imagenetAliases(classNames));
    return { condition: { classIndex }, subject: classNames[classIndex] ?? name };
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw badRequest(error.message, 'prompt', 'unknown_class');
  }
}

function samplingOf(body: GenerationBody): SamplingOptions {
  const given = Object.entries(SAMPLING_FIELDS).flatMap(([field, name]) => {
    const value = body[field as keyof typeof SAMPLING_FIELDS];
    return value === null || value === undefined ? [] : [[name, value] as const];
  });
  const sampling: SamplingOptions = Object.fromEntries(given);
  // Here, and not by whoever draws: that may be when a queue comes to it.
  checkOptions('', sampling, SAMPLING);
  return sampling;
}

function sizeOf(size: string, { name, width, height }: ServedModel, resize: boolean): Size {
  const own = `${width}x${height}`;
  if (size === 'auto' || size === own) return { width, height };
  const [, w, h] = /^([1-9]\d{0,4})x([1-9]\d{0,4})$/.exec(size) ?? [];
  const asked = { width: Number(w), height: Number(h) };
  if (!resize || w === undefined) {
    throw badRequest(
      `"size" is ${JSON.stringify(size)}, and ${name} makes images of ${own}: give "auto" or "${own}"${resize ? ', or another WIDTHxHEIGHT' : ''}`,
      'size',
    );
  }
  if (Math.max(asked.width, asked.height) <= MAX_SIDE) return asked;
  throw badRequest(
    `"size" is ${JSON.stringify(size)}: sides are at most ${MAX_SIDE}; the model's own size is ${own}`,
    'size',
  );
}
