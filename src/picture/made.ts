/**
 * What a PNG says about how it was made: written by `generate` and `decode`, read by `info`. Files of
 * tokens say it too, so that `decode` can pass it on.
 */
import type { SamplingOptions } from '../engine/sampling-options.ts';
import type { Fingerprint } from '../load/fingerprint.ts';
import { VERSION } from '../version.ts';
import type { PngText } from './png-format.ts';

interface MadeFrom {
  readonly seed: number;
  /** Tokens that its grid began with, if any. */
  readonly given?: readonly number[] | undefined;
}

/** A picture of a class. */
export interface MadeClass extends MadeFrom {
  readonly class: number;
  readonly className: string;
}

/** A picture of a text. */
export interface MadePrompt extends MadeFrom {
  /** As it was given; empty where features were given in its place. */
  readonly prompt: string;
}

/** One picture of a file. */
export type MadeImage = MadeClass | MadePrompt;

/** How pictures were made, whatever their classes and seeds. */
export interface MadeBy {
  /** Name of the model. */
  readonly model: string;
  /** How the tokens were drawn, if that is known. */
  readonly sampling?: SamplingOptions | undefined;
  /** Storage of the decoder's matrices. */
  readonly dtype?: string | undefined;
  /** The adapter, in words. */
  readonly adapter?: string | undefined;
  readonly fingerprint?: Fingerprint | undefined;
  /** Digest of the text encoder that made the features of texts. */
  readonly encoder?: string | undefined;
}

/** How the pictures of a file were made. */
export interface Made extends MadeBy {
  readonly images: readonly MadeImage[];
  /** How many times the pictures were enlarged. */
  readonly scale?: number | undefined;
  /** Of the sheet. */
  readonly columns?: number | undefined;
  /** Of llamagen-webgpu. */
  readonly version?: string | undefined;
}

/** The keyword of the text that programs read. */
const KEYWORD = 'llamagen';

/** Most class names in a title. */
const MAX_TITLE_NAMES = 8;

/** The words for settings, in the order in which they are said. */
const SETTINGS = {
  cfgScale: 'cfg-scale',
  cfgInterval: 'cfg-interval',
  temperature: 'temperature',
  topK: 'top-k',
  topP: 'top-p',
} as const satisfies Partial<Record<keyof SamplingOptions, string>>;

/** What is said of images that were asked for by class, or by a text, and seed. */
export function madeImage(
  condition: number | string,
  seed: number,
  classNames: readonly string[],
): MadeImage {
  if (typeof condition === 'string') return { prompt: condition, seed };
  return { class: condition, className: classNames[condition] ?? '', seed };
}

/** What a picture is of. */
export function nameOf(image: MadeImage): string {
  if ('prompt' in image) return image.prompt || 'features of a text';
  return image.className || `class ${image.class}`;
}

/** `nameOf`, with the number of a class. */
export function fullNameOf(image: MadeImage): string {
  const isNamed = 'class' in image && image.className !== '';
  return isNamed ? `${image.className} (class ${image.class})` : nameOf(image);
}

/**
 * Texts for a PNG: `Title`, `Description` and `Software` for viewers of pictures, and `llamagen`
 * with a JSON object for programs. Nothing in them changes from one run to the next.
 */
export function pictureText(made: Made): PngText {
  const { images, scale, columns } = made;
  const [first] = images;
  const pictures = images.length === 1 ? first : { columns, images };
  const json = { version: VERSION, model: made.model, ...pictures, ...madeByFields(made), scale };
  return {
    Title: oneLine(titleOf(images)),
    Description: oneLine(descriptionOf(made)),
    Software: `llamagen-webgpu ${VERSION}`,
    [KEYWORD]: JSON.stringify(json),
  };
}

/** The fields of a JSON object that `readMadeBy` reads. */
export function madeByFields(made: MadeBy): object {
  const { model, sampling, dtype, adapter, fingerprint, encoder } = made;
  return { model, ...sampling, dtype, adapter, fingerprint, encoder };
}

function titleOf(images: readonly MadeImage[]): string {
  const names = [...new Set(images.map(nameOf))];
  const more = names.length > MAX_TITLE_NAMES ? ', ...' : '';
  return names.slice(0, MAX_TITLE_NAMES).join(', ') + more;
}

/** Names and texts come from files: PNG has no place for some control characters, and terminals obey others. */
export const oneLine = (text: string): string => text.replace(/\p{Cc}+/gu, ' ');

/** With its number, also where that is its name. */
const describedName = (image: MadeImage): string =>
  'class' in image ? `${nameOf(image)} (class ${image.class})` : nameOf(image);

function descriptionOf({ images, model, sampling }: Made): string {
  const [first] = images;
  const inTurn = images.every(({ seed }, i) => seed === (first?.seed ?? 0) + i);
  const what =
    images.length === 1 && first
      ? `${describedName(first)}, seed ${first.seed}`
      : `${images.length} images${inTurn ? `, from seed ${first?.seed} on` : ''}`;
  const settings = sampling ? `, ${describeSampling(sampling)}` : '';
  return `${what}, made by the model ${model}${settings}`;
}

/** E.g. `cfg-scale 2, cfg-interval -1, temperature 1, top-k 0, top-p 1`. */
export function describeSampling(sampling: SamplingOptions): string {
  const words = Object.entries(SETTINGS).flatMap(([field, word]) => {
    const value = sampling[field as keyof typeof SETTINGS];
    return value === undefined ? [] : [`${word} ${value}`];
  });
  return [...(sampling.greedy ? ['greedy'] : []), ...words].join(', ');
}

/**
 * What `pictureText` wrote, read with care: whatever else stands there is left out.
 * @returns undefined when there is no such text.
 */
export function readMade(texts: ReadonlyMap<string, string>): Made | undefined {
  const object = parsed(texts.get(KEYWORD));
  const madeBy = readMadeBy(object);
  if (!madeBy || !isObject(object)) return undefined;
  const { images, scale, columns, version } = object;
  return {
    ...madeBy,
    images: (Array.isArray(images) ? images : [object]).flatMap(imageOf),
    scale: number(scale),
    columns: number(columns),
    version: text(version),
  };
}

/**
 * The part of it that files of tokens have too.
 * @returns undefined when the value does not name a model.
 */
export function readMadeBy(value: unknown): MadeBy | undefined {
  if (!isObject(value) || typeof value.model !== 'string') return undefined;
  const { model, dtype, adapter, greedy, fingerprint, encoder } = value;
  const settings = Object.keys(SETTINGS).flatMap((field) => {
    const setting = number(value[field]);
    return setting === undefined ? [] : [[field, setting] as const];
  });
  const sampling: SamplingOptions = {
    ...Object.fromEntries(settings),
    ...(typeof greedy === 'boolean' && { greedy }),
  };
  return {
    model,
    ...(Object.keys(sampling).length > 0 && { sampling }),
    dtype: text(dtype),
    adapter: text(adapter),
    ...fingerprintIn(fingerprint),
    ...(typeof encoder === 'string' && { encoder }),
  };
}

function fingerprintIn(value: unknown): Pick<MadeBy, 'fingerprint'> {
  if (!isObject(value)) return {};
  const [words, digest] = [text(value.text), text(value.digest)];
  return words === undefined || digest === undefined
    ? {}
    : { fingerprint: { text: words, digest } };
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

const number = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined;

function imageOf(value: unknown): MadeImage[] {
  if (!isObject(value)) return [];
  const { class: label, className, prompt, seed } = value;
  if (typeof seed !== 'number') return [];
  const made = { seed, ...givenIn(value) };
  if (typeof prompt === 'string') return [{ prompt, ...made }];
  if (typeof label !== 'number') return [];
  return [{ class: label, className: typeof className === 'string' ? className : '', ...made }];
}

function givenIn({ given }: Readonly<Record<string, unknown>>): Pick<MadeFrom, 'given'> {
  const isToken = (value: unknown): value is number => Number.isSafeInteger(value);
  return Array.isArray(given) && given.length > 0 && given.every(isToken) ? { given } : {};
}

function parsed(json: string | undefined): unknown {
  if (json === undefined) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
