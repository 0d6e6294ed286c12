/** What makes one picture, exactly; and links that say it. */
import type { Fingerprint } from '../../src/load/fingerprint.ts';
import { type Made, type MadeImage, oneLine } from '../../src/picture/made.ts';
import type { ModelSource, ModelView } from '../../src/web/worker/index.ts';

/** What makes one picture: equal recipes and fingerprints mean equal pixels. */
export interface Recipe {
  /** Name of the model. */
  readonly model: string;
  /** Where it is on the hub, as `hubName` says it; undefined of models that are not there. */
  readonly hub?: string | undefined;
  /** Name of the class, or its number where it has none; or the prompt. */
  readonly class?: string | undefined;
  readonly classIndex?: number | undefined;
  readonly prompt?: string | undefined;
  readonly seed: number;
  /** How many were drawn together, from that seed on. Default 1. */
  readonly count?: number | undefined;
  readonly cfgScale: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  /** Guidance stops after that token; -1 never. */
  readonly cfgInterval: number;
  readonly greedy: boolean;
  /** Tokens that the grid began with: of a picture that was completed. */
  readonly given?: readonly number[] | undefined;
  /** Of the device that drew it. */
  readonly fingerprint?: Fingerprint | undefined;
}

/** What a link or a file says of one. */
export type PartOfRecipe = { readonly [Field in keyof Recipe]?: Recipe[Field] | undefined };

/** What a picture is of. */
export const subject = (recipe: Recipe): string =>
  recipe.prompt ?? (recipe.class || `class ${recipe.classIndex}`);

/** Those of so many tokens that were drawn, and not given. */
export const tokensDrawn = (tokens: number, { given }: Recipe): number =>
  Math.max(0, tokens - (given?.length ?? 0));

/** Tokens a second, as they are said. */
export const rateText = (rate: number): string => rate.toFixed(rate < 100 ? 1 : 0);

/** What is said of tokens a pass where they are more than one; empty where they are not. */
export const perPassText = (perPass: number | undefined): string =>
  perPass !== undefined && Number.isFinite(perPass) && perPass > 1.05
    ? `${perPass.toFixed(1)} tokens a pass`
    : '';

/** Equal for pictures that are asked for alike on devices that compute alike. */
export function keyOf(recipe: PartOfRecipe): string {
  const { model, prompt, seed, given, fingerprint } = recipe;
  const { cfgScale, cfgInterval, temperature, topK, topP, greedy } = recipe;
  const condition = prompt === undefined ? `${recipe.class || recipe.classIndex}` : { prompt };
  const sampling = [cfgScale, cfgInterval, temperature, topK, topP, greedy ?? false];
  return JSON.stringify([model, condition, seed, ...sampling, given ?? [], fingerprint?.digest]);
}

/** For the texts of a PNG, as the command line writes them. */
export function madeOf(recipe: Recipe, adapter?: string): Made {
  const { model, seed, given, fingerprint } = recipe;
  const { cfgScale, cfgInterval, temperature, topK, topP, greedy } = recipe;
  const image: MadeImage =
    recipe.prompt === undefined
      ? { class: recipe.classIndex ?? 0, className: recipe.class ?? '', seed, given }
      : { prompt: recipe.prompt, seed, given };
  const sampling = { cfgScale, cfgInterval, temperature, topK, topP, greedy };
  return { model, sampling, adapter, fingerprint, images: [image] };
}

/** What a PNG says; of a sheet the first picture. Settings that it lacks are the model's. */
export function recipeOfMade({ model, sampling, images, fingerprint }: Made): PartOfRecipe {
  const [first] = images;
  const { cfgScale, cfgInterval, temperature, topK, topP, greedy } = sampling ?? {};
  const condition =
    first && 'prompt' in first
      ? { prompt: first.prompt }
      : { classIndex: first?.class, class: first?.className || undefined };
  return {
    ...{ model, cfgScale, cfgInterval, temperature, topK, topP, greedy, fingerprint },
    ...condition,
    ...{ seed: first?.seed, given: first?.given },
  };
}

/** Settings that are numbers. */
type NumberField = 'seed' | 'count' | 'cfgScale' | 'cfgInterval' | 'temperature' | 'topK' | 'topP';

/** Their names in links, which are those of the command line. */
const NUMBERS: Readonly<Record<NumberField, string>> = {
  seed: 'seed',
  count: 'count',
  cfgScale: 'cfg-scale',
  temperature: 'temperature',
  topK: 'top-k',
  topP: 'top-p',
  cfgInterval: 'cfg-interval',
};

/** The part of a link behind `#`; it is never sent to a server. */
export function toHash(recipe: PartOfRecipe): string {
  const { model, hub, prompt, classIndex, given, fingerprint, count, greedy } = recipe;
  const query = new URLSearchParams();
  const add = (name: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== '') query.set(name, `${value}`);
  };
  add('model', model);
  add('hub', hub);
  if (prompt !== undefined) add('prompt', oneLine(prompt));
  else add('class', recipe.class || classIndex);
  for (const [field, name] of Object.entries(NUMBERS)) {
    if (field !== 'count' || (count ?? 1) > 1) add(name, recipe[field as NumberField]);
  }
  if (greedy) add('greedy', 1);
  if (given && given.length > 0) add('given', packTokens(given));
  add('fingerprint', fingerprint?.digest);
  return query.toString();
}

/** What a link says; whatever else stands there is left out, and named. */
export function fromHash(hash: string): { recipe: PartOfRecipe; wrong: readonly string[] } {
  const query = new URLSearchParams(hash.replace(/^#/, ''));
  const wrong: string[] = [];
  const recipe: Record<string, unknown> = {};
  for (const [field, name] of Object.entries(NUMBERS)) {
    const text = query.get(name);
    if (text === null) continue;
    const value = Number(text);
    if (text.trim() !== '' && isPossible(field as NumberField, value)) {
      recipe[field] = value;
    } else wrong.push(`${name}=${text}`);
  }
  for (const name of ['model', 'hub', 'prompt', 'class'] as const) {
    const text = query.get(name);
    if (text !== null) recipe[name] = text.slice(0, 2000);
  }
  const given = query.get('given');
  if (given !== null) {
    recipe.given = unpackTokens(given);
    if (!recipe.given) wrong.push('given');
  }
  if (query.get('greedy') === '1') recipe.greedy = true;
  const digest = query.get('fingerprint');
  if (digest !== null) recipe.fingerprint = { digest, text: '' };
  return { recipe, wrong };
}

const MOST: Readonly<Record<NumberField, number>> = {
  seed: Number.MAX_SAFE_INTEGER,
  count: 16,
  cfgScale: 1000,
  temperature: 1000,
  topK: 2 ** 31 - 1,
  topP: 1,
  cfgInterval: 2 ** 31 - 1,
};
const LEAST: Partial<Record<NumberField, number>> = { count: 1, cfgInterval: -1 };
const WHOLE: ReadonlySet<string> = new Set(['seed', 'count', 'topK', 'cfgInterval']);

/** Whether a setting can be such a number. */
export function isPossible(field: NumberField, value: number): boolean {
  const isWhole = !WHOLE.has(field) || Number.isInteger(value);
  return isWhole && value >= (LEAST[field] ?? 0) && value <= MOST[field];
}

/** Two bytes a token, in letters of URLs. */
function packTokens(tokens: readonly number[]): string {
  const bytes = new Uint8Array(2 * tokens.length);
  const view = new DataView(bytes.buffer);
  for (const [i, token] of tokens.entries()) view.setUint16(2 * i, token);
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}

function unpackTokens(text: string): readonly number[] | undefined {
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    if (binary.length === 0 || binary.length % 2 === 1) return undefined;
    return Array.from({ length: binary.length / 2 }, (_, i) => {
      return 256 * binary.charCodeAt(2 * i) + binary.charCodeAt(2 * i + 1);
    });
  } catch {
    return undefined;
  }
}

/** A model of the hub as a person types it: `owner/name`, or `owner/name@revision`. */
export const hubName = ({ hub, revision }: Extract<ModelSource, { hub: string }>): string =>
  revision === undefined ? hub : `${hub}@${revision}`;

/** Whether two models come from one place; files are not one. */
export const isSamePlace = (a: ModelSource, b: ModelSource): boolean =>
  ('url' in a && 'url' in b && a.url === b.url) ||
  ('hub' in a && 'hub' in b && hubName(a) === hubName(b));

/** The models that ship with the page: of classes, and of prompts. */
export const SHIPPED_NAME = 'fruits-96';
export const SHIPPED_TEXT_NAME = 'scenes-96';
/** Rows of the grid of the first. */
export const SHIPPED_ROWS = 12;

/** The class of a recipe among those of a model; undefined where it has none of that name. */
export function classOf(recipe: PartOfRecipe, { classNames }: ModelView): number | undefined {
  const { class: name, classIndex } = recipe;
  const isClass = (index: number | undefined): index is number =>
    index !== undefined && Number.isInteger(index) && index >= 0 && index < classNames.length;
  if (isClass(classIndex) && (name === undefined || classNames[classIndex] === name))
    return classIndex;
  if (name === undefined) return undefined;
  const index = classNames.findIndex((own) => own.toLowerCase() === name.toLowerCase());
  if (index >= 0) return index;
  return /^\d+$/.test(name) && isClass(Number(name)) ? Number(name) : undefined;
}
