/** Whole conversions that need no option: what the training saved beside the state dict says it all. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { gptWeightShapes, parseGptConfig } from '../../src/models/gpt-config.ts';
import { type ModelJson, parseModelJson } from '../../src/models/model-json.ts';
import { parseVqConfig } from '../../src/models/vq-config.ts';
import { vqWeightShapes } from '../../src/models/vq-weights.ts';
import { type ConvertOptions, convertCheckpoint } from '../../src/node/convert.ts';
import { counting } from '../support/checkpoints.ts';
import { type Code, dict, FALSE, long, object, text } from '../support/pickle.ts';
import { writePt, writePtWith } from '../support/zip.ts';

const GPT = gptWeightShapes(
  parseGptConfig({
    ...{ dim: 16, n_layer: 1, n_head: 2, vocab_size: 48, num_classes: 3, block_size: 16 },
    multiple_of: 16,
  }),
);
/** A tokenizer of so many levels. */
const vq = (...ch_mult: number[]) =>
  vqWeightShapes(
    parseVqConfig({ ch: 32, ch_mult, num_res_blocks: 1, z_channels: 32, codebook_size: 48 }),
  );

let folder: string;
let paths: { gpt: string; vq: string; named: string; vq8: string };
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-args-'));
  const write = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const trained = (tensors: typeof GPT, args: Readonly<Record<string, Code | number>>) =>
    writePtWith(counting(tensors), (model) => [
      dict({ model, args: object('argparse', 'Namespace', dict(args)), steps: long(7) }),
    ]);
  const gptArgs = { gpt_model: text('GPT-X'), image_size: long(8), downsample_size: long(2) };
  paths = {
    gpt: write('0250000.pt', trained(GPT, { ...gptArgs, vocab_size: long(48) })),
    vq: write('vq.pt', trained(vq(1, 1), { vq_model: text('VQ-X'), codebook_l2_norm: FALSE })),
    named: write('c2i_B_256.pt', writePt(counting(GPT))),
    vq8: write('vq8.pt', writePt(counting(vq(1, 1, 1, 1)))),
  };
});
afterAll(() => rmSync(folder, { recursive: true }));

let made = 0;
async function convert(options: Partial<ConvertOptions>): Promise<ModelJson> {
  const out = join(folder, `out${made++}`);
  await convertCheckpoint({ heads: 2, ...options, out });
  return parseModelJson(readFileSync(join(out, 'model.json'), 'utf8'));
}

test('args of decoder and tokenizer are used', async () => {
  const { gpt, vq } = await convert({ gpt: paths.gpt, vq: paths.vq });
  expect(gpt).toMatchObject({ gridSize: 4, blockSize: 16 });
  expect(vq.codebookL2Norm).toBe(false);
});

test('pixels in the name are divided by those of a token of the tokenizer given', async () => {
  const { gpt, description } = await convert({ gpt: paths.named, vq: paths.vq8 });
  expect(gpt).toMatchObject({ gridSize: 32, blockSize: 1024 });
  expect(description).toContain('256x256 pixels');
});

test('an option, a name or a tokenizer that contradicts is refused; what is wrong is ignored', async () => {
  const asked = convert({ gpt: paths.gpt, vq: paths.vq, grid: 8 });
  await expect(asked).rejects.toThrow(OptionError);
  await expect(asked).rejects.toThrow('options: --grid 8');
  const named = convert({ gpt: paths.named, vq: paths.vq8, grid: 16 });
  await expect(named).rejects.toThrow('name:    c2i_B_256.pt: 256 pixels a side, so 32x32');
  const other = convert({ gpt: paths.gpt, vq: paths.vq8 });
  await expect(other).rejects.toThrow(WeightsError);
  await expect(other).rejects.toThrow('the tokenizer makes 8x8 pixels of a token');
  const ignoring = { gpt: paths.named, vq: paths.vq8, grid: 16, ignore: ['name'] } as const;
  expect((await convert(ignoring)).gpt.gridSize).toBe(16);
  const without = { gpt: paths.gpt, vq: paths.vq, grid: 8, ignore: ['args'] } as const;
  expect(await convert(without)).toMatchObject({
    gpt: { gridSize: 8 },
    vq: { codebookL2Norm: true },
  });
});
