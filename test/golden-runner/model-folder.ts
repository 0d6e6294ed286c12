/** A shipped model folder: logits, greedy tokens of every class, and pixels, as PyTorch makes them. */
import { join } from 'node:path';
import { decodeTokens, generate, loadModel, type Model, scoreTokens } from '../../src/index.ts';
import type { PrecisionOptions } from '../../src/load/model.ts';
import { openFolder, packageFolder } from '../../src/node/files.ts';
import { type GoldenCase, tensorOf } from './case.ts';
import { type Check, checkFloats, checkIntegers, judge } from './check.ts';

/** Share of pixel values that may be more than 1 of 255 off: sums in f32 against float64. */
const ALLOWED_SHARE = 0.001;

/** @param classes Those whose greedy tokens are drawn; default all. */
export async function runModelFolder(
  device: GPUDevice,
  golden: GoldenCase,
  options: PrecisionOptions = {},
  classes?: readonly number[],
): Promise<Check[]> {
  const folder = join(packageFolder(), String(golden.config.model));
  const model = await loadModel(device, openFolder(folder), options);
  try {
    return [
      await logits(model, golden),
      await greedyTokens(model, golden, classes),
      await pixels(model, golden),
    ];
  } finally {
    model.destroy();
  }
}

/** The tokens that PyTorch chose for a class. */
function tokensOf(golden: GoldenCase, label: number): Int32Array {
  const { data, shape } = tensorOf(golden, 'greedy_tokens');
  const length = shape[1] ?? 0;
  return Int32Array.from(data.subarray(label * length, (label + 1) * length));
}

async function logits(model: Model, golden: GoldenCase): Promise<Check> {
  const labels = [...tensorOf(golden, 'scored_classes').data];
  const positions = [...tensorOf(golden, 'positions').data];
  const { vocabSize, blockSize } = model.config.gpt;
  const grids = labels.map((label) => ({ label, tokens: tokensOf(golden, label) }));
  const scores = await scoreTokens(model.gpt, grids);
  const rows = labels.flatMap((_, i) =>
    positions.map((position) => {
      const row = i * (blockSize + 1) + position;
      return scores.subarray(row * vocabSize, (row + 1) * vocabSize);
    }),
  );
  return checkFloats(
    golden,
    'logits',
    rows.flatMap((row) => [...row]),
  );
}

async function greedyTokens(
  model: Model,
  golden: GoldenCase,
  classes: readonly number[] = model.config.classNames.map((_, label) => label),
): Promise<Check> {
  const { images } = await generate(model, { classes, seed: 0, greedy: true, cfgScale: 1 });
  const tokens = images.flatMap((image) => [...image.tokens]);
  const expected = classes.flatMap((label) => [...tokensOf(golden, label)]);
  return judge('greedy_tokens', tokens, expected, 0);
}

async function pixels(model: Model, golden: GoldenCase): Promise<Check> {
  const labels = [...tensorOf(golden, 'decoded_classes').data];
  const pictures = await decodeTokens(
    model,
    labels.map((label) => tokensOf(golden, label)),
  );
  const rgb = pictures.flatMap(({ rgba }) => [...rgba].filter((_, i) => i % 4 !== 3));
  const check = checkIntegers(golden, 'image_u8', rgb, 1);
  const wanted = tensorOf(golden, 'image_u8').data;
  const far = rgb.filter((value, i) => Math.abs(value - (wanted[i] ?? Infinity)) > 1).length;
  return { ...check, pass: rgb.length === wanted.length && far <= ALLOWED_SHARE * rgb.length };
}
