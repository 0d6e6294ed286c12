/** A shipped text model: ids and features of prompts, logits, greedy tokens and pixels, as PyTorch makes them. */
import { join } from 'node:path';
import {
  decodeTokens,
  type EncodedPrompt,
  generate,
  loadModel,
  loadTextModel,
  type Model,
  precisionName,
  scoreTokens,
} from '../../src/index.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import { openFolder, packageFolder } from '../../src/node/files.ts';
import { type GoldenCase, tensorOf } from './case.ts';
import { type Check, checkIntegers, checkPixels, judge, judgeLogits } from './check.ts';

/** @param prompts Those whose greedy tokens are drawn, by their place; default all. */
export async function runTextModelFolder(
  device: GPUDevice,
  golden: GoldenCase,
  options: PrecisionOptions = {},
  prompts?: readonly number[],
): Promise<Check[]> {
  const files = openFolder(join(packageFolder(), String(golden.config.model)));
  const { variant, tiles } = options;
  const text = await loadTextModel(device, files, { variant, tiles });
  const captions = await text
    .encode(golden.config.prompts as readonly string[])
    .finally(() => text.destroy());
  const model = await loadModel(device, files, options);
  try {
    // As in model-folder.ts.
    const fast = precisionName(model.gpt.precision) === 'fast';
    return [
      checkIntegers(golden, 'ids', Int32Array.from(captions.flatMap(({ ids }) => [...ids]))),
      ...(fast ? [] : [features(golden, captions)]),
      await logits(model, golden, captions, fast),
      ...(fast ? [] : [await greedyTokens(model, golden, captions, prompts)]),
      await pixels(model, golden),
    ];
  } finally {
    model.destroy();
  }
}

/** The tokens that PyTorch chose for a prompt. */
function tokensOf(golden: GoldenCase, prompt: number): Int32Array {
  const { data, shape } = tensorOf(golden, 'greedy_tokens');
  const length = shape[1] ?? 0;
  return Int32Array.from(data.subarray(prompt * length, (prompt + 1) * length));
}

function features(golden: GoldenCase, captions: readonly EncodedPrompt[]): Check {
  const got = captions.flatMap(({ values }) => [...values]);
  return judge('features', got, tensorOf(golden, 'features').data, golden.atol('features'));
}

async function logits(
  model: Model,
  golden: GoldenCase,
  captions: readonly EncodedPrompt[],
  fast: boolean,
): Promise<Check> {
  const expected = tensorOf(golden, 'logits');
  const [scored = 0] = expected.shape;
  const positions = [...tensorOf(golden, 'positions').data];
  const { vocabSize, blockSize } = model.config.gpt;
  const grids = captions
    .slice(0, scored)
    .map((caption, i) => ({ caption, tokens: tokensOf(golden, i) }));
  const scores = await scoreTokens(model.gpt, grids);
  const got = grids.flatMap((_, i) =>
    positions.flatMap((position) => {
      const row = i * (blockSize + 1) + position;
      return [...scores.subarray(row * vocabSize, (row + 1) * vocabSize)];
    }),
  );
  const rule = { atol: golden.atol('logits'), vocabSize, fast };
  return judgeLogits('logits', got, expected.data, rule);
}

async function greedyTokens(
  model: Model,
  golden: GoldenCase,
  captions: readonly EncodedPrompt[],
  prompts: readonly number[] = captions.map((_, i) => i),
): Promise<Check> {
  const chosen = captions.filter((_, i) => prompts.includes(i));
  const settings = { seed: 0, greedy: true, cfgScale: 1 };
  const { images } = await generate(model, { captions: chosen, ...settings });
  const tokens = images.flatMap((image) => [...image.tokens]);
  const expected = prompts.flatMap((i) => [...tokensOf(golden, i)]);
  return judge('greedy_tokens', tokens, expected, 0);
}

async function pixels(model: Model, golden: GoldenCase): Promise<Check> {
  const [decoded = 0] = tensorOf(golden, 'image_u8').shape;
  const grids = Array.from({ length: decoded }, (_, i) => tokensOf(golden, i));
  const pictures = await decodeTokens(model, grids);
  const rgb = pictures.flatMap(({ rgba }) => [...rgba].filter((_, i) => i % 4 !== 3));
  return checkPixels(golden, 'image_u8', rgb);
}
