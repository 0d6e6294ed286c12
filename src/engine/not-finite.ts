/**
 * What to say where a network made numbers that are not finite. Kernels mark the place in what is read
 * anyway: NO_TOKEN in token grids and indices, 0 in pixels.
 */
import { NO_TOKEN } from '../../kernels/lib/finite.ts';
import { WeightsError } from '../errors.ts';
import type { Precision } from '../models/precision.ts';
import type { Tiles } from '../ops/tiles.ts';

/** One row of a batch, for messages. */
interface Named {
  /** Its class, where it has one. */
  readonly label?: number | undefined;
  readonly seed: number;
}

const CAUSE = 'the weights are damaged or too large for f32';
const REMEDY = 'check the checkpoint they were made from, and convert or download it again';

/**
 * Checks the grids of a token loop.
 * @param tokens u32 [sequences, blockSize].
 * @param first Number of the first image.
 * @throws WeightsError that names the first image without a picture and the step it broke at: the same
 * weights give the same numbers, so trying again cannot help.
 */
export function assertDrawn(
  tokens: Uint32Array,
  blockSize: number,
  { kvDtype }: Pick<Precision, 'kvDtype'>,
  sequences: readonly Named[],
  first: number,
): void {
  const at = tokens.indexOf(NO_TOKEN);
  if (at < 0) return;
  const [sequence, step] = [Math.floor(at / blockSize), at % blockSize];
  const named = sequences[sequence];
  const of = named?.label === undefined ? '' : `class ${named.label}, `;
  const which = named ? ` (${of}seed ${named.seed})` : '';
  const halves =
    kvDtype === 'f16'
      ? ', or the KV cache overflows: load with kvDtype "f32", f16 ends at 65504'
      : '';
  throw new WeightsError(
    `image ${first + sequence}${which}, step ${step} of ${blockSize}: the decoder's logits are not finite (NaN or infinity), so no token can be drawn: ${CAUSE}${halves}; ${REMEDY}`,
  );
}

/** A picture for messages. */
interface Shown {
  /** Its number. */
  readonly image: number;
  readonly width: number;
  readonly pixels: number;
}

/**
 * Checks the pixels of a picture.
 * @param pixels u32 [height, width], as `toRgba` writes them.
 * @throws WeightsError that names the image and the first pixel.
 */
export function assertPixels(
  pixels: Uint32Array,
  width: number,
  precision: Pick<Precision, 'tiles'>,
  image: number,
): void {
  const first = pixels.indexOf(0);
  if (first < 0) return;
  const count = pixels.reduce((sum, pixel) => sum + (pixel === 0 ? 1 : 0), 0);
  assertFlawless({ first, count }, { image, width, pixels: pixels.length }, precision);
}

/**
 * Checks how many pixels of a picture are not finite, as `textureRows` counts them.
 * @throws WeightsError that names the image and the first pixel.
 */
export function assertFlawless(
  { first, count }: { readonly first: number; readonly count: number },
  { image, width, pixels }: Shown,
  { tiles }: Pick<Precision, 'tiles'>,
): void {
  if (count === 0) return;
  throw new WeightsError(
    `image ${image}: ${count} of its ${pixels} pixels are not finite (NaN or infinity), the first at row ${Math.floor(first / width)}, column ${first % width}: ${ofTokenizer(tiles)}`,
  );
}

/**
 * Checks the codes of an encoded picture.
 * @param indices u32 [height * width], as `nearestCode` writes them.
 * @throws WeightsError that names the picture and the first cell.
 */
export function assertCodes(
  indices: Uint32Array,
  { tiles }: Pick<Precision, 'tiles'>,
  picture: number,
): void {
  const at = indices.indexOf(NO_TOKEN);
  if (at < 0) return;
  throw new WeightsError(
    `picture ${picture}: its latent ${at} is not finite (NaN or infinity), so no code is nearest to it: ${ofTokenizer(tiles)}`,
  );
}

/**
 * Checks logits that are given to a caller.
 * @param logits f32 [grids, positions, vocabSize].
 * @throws WeightsError that names the first grid and position.
 */
export function assertScores(logits: Float32Array, positions: number, vocabSize: number): void {
  let at = 0;
  while (at < logits.length && Number.isFinite(logits[at])) at++;
  if (at === logits.length) return;
  const row = Math.floor(at / vocabSize);
  throw new WeightsError(
    `grid ${Math.floor(row / positions)}, position ${row % positions}: the logits are not finite (NaN or infinity): ${CAUSE}; ${REMEDY}`,
  );
}

/** Halves in products are the one other way: nothing else of a tokenizer is stored below f32. */
function ofTokenizer(tiles: Tiles = {}): string {
  const halves = Object.values(tiles).some(({ math }) => math !== undefined && math !== 'f32');
  const also = halves
    ? ', or products from halves overflow: run with LLAMAGEN_VARIANT=conv.math=f32,map.math=f32'
    : '';
  return `the tokenizer's ${CAUSE.replace('the ', '')}${also}; ${REMEDY}`;
}
