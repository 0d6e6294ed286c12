/** The JSON file of `--tokens-out` and `llamagen decode`: the token grid of each image. */
import { readFileSync } from 'node:fs';
import { OptionError } from '../errors.ts';
import { fileProblem } from '../node/file-problem.ts';
import { type MadeBy, madeByFields, readMadeBy } from '../picture/made.ts';
import { parseJson } from '../weights/json-text.ts';
import { quote } from '../weights/quote.ts';

export interface TokensFile {
  /** Rows and columns of every image. */
  readonly grid: readonly [height: number, width: number];
  readonly images: readonly TokensImage[];
  /** How the tokens were made. */
  readonly made?: MadeBy | undefined;
}

export type TokensImage = ({ readonly class: number } | { readonly prompt: string }) & {
  readonly seed: number;
  /** Codes row by row, `height * width` of them. */
  readonly tokens: readonly number[];
};

/** What a model can decode. */
export interface TokensLimits {
  /** Rows and columns of its grid. */
  readonly gridSize: number;
  /** Number of its codes. */
  readonly codebookSize: number;
}

/** The file as text: one line per image. */
export function formatTokens({ grid, images, made }: TokensFile): string {
  const lines = images.map((image) => `  ${JSON.stringify(image)}`);
  const madeLine = made ? `"made": ${JSON.stringify(madeByFields(made))},\n` : '';
  return `{"grid": ${JSON.stringify(grid)}, ${madeLine}"images": [\n${lines.join(',\n')}\n]}\n`;
}

/**
 * Reads and checks a file.
 * @throws OptionError that names the place and the value that is wrong.
 */
export function readTokens(path: string, limits: TokensLimits): TokensFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new OptionError(`${path}: cannot be read: ${fileProblem(cause)}`, { cause });
  }
  return parseTokens(text, limits, path);
}

/**
 * @param where What to call the file in messages.
 * @throws OptionError that names the place and the value that is wrong.
 */
export function parseTokens(text: string, limits: TokensLimits, where = 'tokens'): TokensFile {
  const fail = (place: string, expected: string, got: unknown): never => {
    const value = got === undefined ? 'nothing' : quote(got);
    throw new OptionError(`${where}: ${place} expected ${expected}, got ${value}`);
  };
  const file = readText(text, where);
  if (!isObject(file)) return fail('the file', 'an object with "grid" and "images"', file);
  const { gridSize } = limits;
  const { grid, images, made } = file;
  if (!Array.isArray(grid) || grid.length !== 2 || grid.some((side) => side !== gridSize)) {
    return fail('"grid"', `[${gridSize}, ${gridSize}], the grid of this model`, grid);
  }
  if (!Array.isArray(images) || images.length === 0) {
    return fail('"images"', 'a list of at least one image', images);
  }
  return {
    grid: [gridSize, gridSize],
    images: images.map((image: unknown, i) => parseImage(image, `images[${i}]`, limits, fail)),
    made: readMadeBy(made),
  };
}

type Fail = (place: string, expected: string, got: unknown) => never;

function parseImage(image: unknown, place: string, limits: TokensLimits, fail: Fail): TokensImage {
  if (!isObject(image))
    return fail(place, 'an object with "class" or "prompt", "seed" and "tokens"', image);
  const { tokens } = image;
  const length = limits.gridSize ** 2;
  if (!Array.isArray(tokens)) return fail(`${place}.tokens`, `a list of ${length} codes`, tokens);
  if (tokens.length !== length) {
    return fail(`${place}.tokens`, `${length} codes, one per place of the grid`, tokens.length);
  }
  const bad = tokens.findIndex((token) => !isWhole(token) || token >= limits.codebookSize);
  if (bad >= 0) {
    const expected = `a code of this model, a whole number from 0 to ${limits.codebookSize - 1}`;
    return fail(`${place}.tokens[${bad}]`, expected, tokens[bad]);
  }
  const whole = (name: 'class' | 'seed'): number => {
    const value = image[name];
    return isWhole(value) ? value : fail(`${place}.${name}`, 'a whole number from 0', value);
  };
  const { prompt } = image;
  const condition = typeof prompt === 'string' ? { prompt } : { class: whole('class') };
  return { ...condition, seed: whole('seed'), tokens };
}

function readText(text: string, where: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new OptionError(`${where}: not JSON: ${why}`, { cause });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
