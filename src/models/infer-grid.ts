/** The token grid of a decoder, and what its RoPE table tells, if it was saved. */
import { OptionError } from '../errors.ts';
import { agreed, asked, type Ignorable, type Statement } from './agreement.ts';
import type { DescribedTensors, Shapes } from './checkpoint-config.ts';
import type { TrainingArgs } from './training-args.ts';

/** Pixels of a code in official models, where the tokenizer is not known. */
const OFFICIAL_DOWNSAMPLE = 16;
/** The RoPE table: a buffer that is computed again whenever a model is made. */
const TABLE = 'freqs_cis';
const TABLE_REMEDY = `if ${TABLE} is left over from another model, give --ignore buffers`;

interface GridHints {
  readonly grid?: number | undefined;
  readonly downsample?: number | undefined;
  readonly ignore?: readonly Ignorable[] | undefined;
  /** Features of a token. */
  readonly dim: number;
  /** Tokens in front of the image. */
  readonly conditionTokens: number;
}

/**
 * Rows and columns of the token grid.
 * @throws OptionError when nothing tells them; and as `agreed` does, for them and for the pixels that a
 * token stands for.
 */
export function gridSide(
  file: DescribedTensors,
  shapes: Shapes,
  sources: readonly TrainingArgs[],
  { grid, downsample, ignore = [], dim, conditionTokens }: GridHints,
): number {
  const { name, titles = [name] } = file;
  const trained = sources.map((args) => args.saysCount('downsample_size'));
  agreed(name, 'the pixels of a token', [tokenizerSays(downsample), ...trained]);
  const pixels = downsample ?? OFFICIAL_DOWNSAMPLE;
  const side = agreed(name, 'the token grid', [
    asked('--grid', grid),
    ignore.includes('buffers') ? undefined : tableGrid(shapes, dim, conditionTokens),
    ...sources.flatMap((args) => [
      ...argsGrid(args),
      // Without the pixels of a token it is the caller's word that counts.
      grid === undefined ? imageGrid(args, pixels) : undefined,
    ]),
    ignore.includes('name') ? undefined : nameGrid(titles, pixels),
  ]);
  if (side !== undefined) return side;
  throw new OptionError(
    `${name}: neither its name (like c2i_B_256.pt) nor its tensors or training args tell the size of ` +
      'the image: give the rows of the token grid (--grid)',
  );
}

/** Attention heads, from the pairs of features that the RoPE table turns. */
export function tableHeads(shapes: Shapes, dim: number): Statement<number> | undefined {
  const said = shapes.says(TABLE, (shape) => {
    const headDim = tableHeadDim(shape, dim);
    return headDim && dim / headDim;
  });
  return said && { ...said, remedy: TABLE_REMEDY };
}

/** The table has a row for each cell of the grid, and mostly those of the condition before them. */
function tableGrid(
  shapes: Shapes,
  dim: number,
  conditionTokens: number,
): Statement<number> | undefined {
  const said = shapes.says(
    TABLE,
    (shape) => {
      const [rows = 0] = shape;
      const fits = tableHeadDim(shape, dim) !== undefined;
      return fits
        ? [rows - conditionTokens, rows].map(Math.sqrt).find((side) => side >= 1 && side % 1 === 0)
        : undefined;
    },
    squared,
  );
  return said && { ...said, remedy: TABLE_REMEDY };
}

/** Features of a head: the table is [rows, headDim / 2, 2], or complex without the last dimension. */
function tableHeadDim(shape: readonly number[], dim: number): number | undefined {
  const [, half = 0, parts = 2] = shape;
  const fits = shape.length >= 2 && shape.length <= 3 && parts === 2 && half >= 1;
  return fits && dim % (2 * half) === 0 ? 2 * half : undefined;
}

function tokenizerSays(downsample: number | undefined): Statement<number> | undefined {
  return downsample === undefined
    ? undefined
    : {
        by: 'shapes',
        value: downsample,
        text: `the tokenizer makes ${squared(downsample)} pixels of a token`,
        remedy: 'if the tokenizer is the wrong one, give that of the decoder',
      };
}

/** What arguments say of the grid without the tokenizer. */
function argsGrid(args: TrainingArgs): Statement<number>[] {
  const said: Statement<number>[] = [];
  const [block, image, pixels] = ['block_size', 'image_size', 'downsample_size'].map((field) =>
    args.count(field),
  );
  if (block !== undefined) {
    const side = Math.sqrt(block);
    if (side % 1 !== 0) args.fail('block_size', 'a square number: the tokens of a square image');
    said.push(args.said(side, ['block_size'], squared(side)));
  }
  if (image !== undefined && pixels !== undefined) {
    // As the official scripts round.
    const side = Math.floor(image / pixels);
    if (side < 1) args.fail('image_size', `at least the downsample_size, ${pixels}`);
    said.push(args.said(side, ['image_size', 'downsample_size'], squared(side)));
  }
  return said;
}

/** What an image size says alone. */
function imageGrid(args: TrainingArgs, pixels: number): Statement<number> | undefined {
  const image = args.count('image_size');
  if (image === undefined || image % pixels !== 0) return undefined;
  if (args.count('downsample_size') !== undefined) return undefined;
  const side = image / pixels;
  return args.said(side, ['image_size'], `${squared(side)} tokens of ${squared(pixels)} pixels`);
}

/** Official names have the pixels of a side: `c2i_B_256.pt`, `t2i-XL-256`. */
const NAMED_PIXELS = [/_(256|384|448|512)(?!\d)/, /^[ct]2i-[\w-]+-(256|384|448|512)(?!\d)/i];

function nameGrid(paths: readonly string[], pixels: number): Statement<number> | undefined {
  for (const path of paths) {
    const name = path.split(/[\\/]/).at(-1) ?? '';
    const found = NAMED_PIXELS.map((pattern) => pattern.exec(name)?.[1]).find((text) => text);
    const side = Number(found) / pixels;
    if (!Number.isInteger(side)) continue;
    const meaning = `${squared(side)} tokens of ${squared(pixels)} pixels`;
    return { by: 'name', value: side, text: `${name}: ${found} pixels a side, so ${meaning}` };
  }
  return undefined;
}

const squared = (side: number): string => `${side}x${side}`;
