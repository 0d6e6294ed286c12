/** A shipped model folder: logits, greedy tokens of every class, and pixels, as PyTorch makes them. */
import { join } from 'node:path';
import {
  decodeTokens,
  generate,
  loadModel,
  type Model,
  precisionName,
  scoreTokens,
} from '../../src/index.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import { openFolder, packageFolder } from '../../src/node/files.ts';
import { type GoldenCase, tensorOf } from './case.ts';
import { type Check, checkPixels, judge, judgeLogits } from './check.ts';

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
    // Over a whole image a rounding may turn a close choice: in `fast` bench:quality counts such images.
    const fast = precisionName(model.gpt.precision) === 'fast';
    return [
      await logits(model, golden, fast),
      ...(fast ? [] : [await greedyTokens(model, golden, classes)]),
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

async function logits(model: Model, golden: GoldenCase, fast: boolean): Promise<Check> {
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
  const got = rows.flatMap((row) => [...row]);
  const rule = { atol: golden.atol('logits'), vocabSize, fast };
  return judgeLogits('logits', got, tensorOf(golden, 'logits').data, rule);
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
  return checkPixels(golden, 'image_u8', rgb);
}
