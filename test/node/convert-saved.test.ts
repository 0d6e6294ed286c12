/** Checkpoints as training scripts save them convert to the weights that they hold. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gptWeightShapes, parseGptConfig } from '../../src/models/gpt-config.ts';
import { parseVqConfig } from '../../src/models/vq-config.ts';
import { vqWeightShapes } from '../../src/models/vq-weights.ts';
import { convertCheckpoint } from '../../src/node/convert.ts';
import { openFile } from '../../src/node/files.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { counting } from '../support/checkpoints.ts';
import { call, dict, global, text } from '../support/pickle.ts';
import { type PtInput, writePt, writePtWith } from '../support/zip.ts';

const GPT = parseGptConfig({
  ...{ dim: 16, n_layer: 2, n_head: 2, vocab_size: 48, num_classes: 10, block_size: 16 },
  multiple_of: 16,
});
const VQ = parseVqConfig({
  ...{ ch: 32, ch_mult: [1], num_res_blocks: 1, z_channels: 32, codebook_size: 48 },
});

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-convert-'));
  path = join(folder, 'gpt.pt');
  writeFileSync(join(folder, 'vq.pt'), writePt(counting(vqWeightShapes(VQ))));
});
afterEach(() => rmSync(folder, { recursive: true }));

const convert = (): ReturnType<typeof convertCheckpoint> =>
  convertCheckpoint({
    ...{ gpt: path, vq: join(folder, 'vq.pt'), out: join(folder, 'out') },
    ...{ grid: 4, heads: 2, dtype: 'f32' },
  });

const WEIGHTS = counting(gptWeightShapes(GPT));
const complex = {
  ...{ storage: 'ComplexFloatStorage', key: 'rope', elements: 17 * 4, shape: [17, 4] },
  data: new Uint8Array(17 * 4 * 8),
};
const cache = { key: 'cache', elements: 8, shape: [8], data: new Uint8Array(32) };
const prefixed = (prefix: string, tensors: Record<string, PtInput>): Record<string, PtInput> =>
  Object.fromEntries(Object.entries(tensors).map(([name, input]) => [`${prefix}${name}`, input]));
const seed = call(global('torch', 'device'), text('cuda'));

test.each<[string, () => Uint8Array, string[]]>([
  [
    'compiled and wrapped, with a complex table and caches',
    () =>
      writePt(
        prefixed('module._orig_mod.', {
          ...WEIGHTS,
          freqs_cis: complex,
          'layers.0.attention.kv_cache.k_cache': cache,
        }),
      ),
    [],
  ],
  [
    'of Lightning, with losses, beside what is foreign',
    () =>
      writePtWith({ ...prefixed('model.', WEIGHTS), 'loss.w': cache }, (state_dict) =>
        dict({ callbacks: seed, state_dict }),
      ),
    ['took "state_dict" of gpt.pt'],
  ],
  [
    'averaged, one level deeper',
    () => writePtWith(WEIGHTS, (ema) => dict({ run: dict({ ema }), args: seed })),
    ['took "run.ema" of gpt.pt'],
  ],
])('%s', async (_, make, notes) => {
  writeFileSync(path, make());
  const result = await convert();
  expect(result.notes).toEqual(notes);
  const { tensors } = await openSafetensors(await openFile(join(folder, 'out', 'gpt.safetensors')));
  expect([...tensors.keys()].sort()).toEqual(Object.keys(WEIGHTS).sort());
  for (const { name, source, offset, byteLength } of tensors.values()) {
    expect(await source.read(offset, byteLength), name).toEqual(WEIGHTS[name]?.data);
  }
});

test('a complex tensor where a weight is wanted is an error', async () => {
  const { storage, data } = complex;
  const norm = { storage, key: 'norm', elements: 16, shape: [16], data: data.subarray(0, 128) };
  writeFileSync(path, writePt({ ...WEIGHTS, 'norm.weight': norm }));
  await expect(convert()).rejects.toThrow(
    'tensor "norm.weight" is C64: expected F32, F16, BF16 or F64 weights',
  );
});
