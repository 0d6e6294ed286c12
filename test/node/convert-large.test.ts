/** A checkpoint beyond 4 GB, converted in little memory. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gptWeightShapes, parseGptConfig } from '../../src/models/gpt-config.ts';
import { parseVqConfig } from '../../src/models/vq-config.ts';
import { vqWeightShapes } from '../../src/models/vq-weights.ts';
import { openFile } from '../../src/node/files.ts';
import { decodeF32 } from '../../src/weights/convert.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { counting, zeros } from '../support/checkpoints.ts';
import { convertInChild } from '../support/convert-child.ts';
import { layoutZip, ptEntries, writeSparse } from '../support/zip.ts';

/** Two tensors of 268 MB as f32. */
const GPT = parseGptConfig({
  ...{ dim: 256, n_layer: 1, n_head: 2, vocab_size: 2 ** 18, num_classes: 3, block_size: 16 },
});
const VQ = parseVqConfig({
  ...{ ch: 32, ch_mult: [1], num_res_blocks: 1, z_channels: 32, codebook_size: 2 ** 18 },
});
/** What a training script keeps beside the model; it comes first, so that all tensors lie behind it. */
const OTHER_BYTES = 6 * 2 ** 30;
/** What the issue allows. */
const MOST_BYTES = 400e6;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-large-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('a 6 GB zip64 checkpoint converts with less than 400 MB of memory', async () => {
  const [gpt, vq, out] = ['gpt.pt', 'vq.pt', 'out'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const shapes = gptWeightShapes(GPT);
  const isLarge = ({ name }: { name: string }): boolean => /^(tok_embeddings|output)\./.test(name);
  const small = counting(shapes.filter((shape) => !isLarge(shape)));
  const large = zeros(shapes.filter(isLarge));
  const renamed = Object.entries(large).map(([name, input]) => [name, { ...input, key: name }]);
  const [pickle, ...storages] = ptEntries({ ...small, ...Object.fromEntries(renamed) });
  const other = { name: 'model/data/optimizer', data: OTHER_BYTES };
  writeSparse(gpt, layoutZip([other, pickle!, ...storages]));
  writeSparse(vq, layoutZip(ptEntries(counting(vqWeightShapes(VQ)))));
  expect(statSync(gpt).size).toBeGreaterThan(OTHER_BYTES);

  // Reading 6 GB for the hash takes longer than all the rest; it needs one buffer.
  const hashes = { [gpt]: 'f'.repeat(64) };
  const options = { gpt, vq, out, hashes, grid: 4, heads: 2 };
  const { maxRss } = await convertInChild({ ...options, dtype: 'bf16' });
  expect(maxRss).toBeLessThan(MOST_BYTES);

  const { tensors } = await openSafetensors(await openFile(join(out, 'gpt.safetensors')));
  expect([...tensors.keys()]).toHaveLength(shapes.length);
  for (const [name, { data }] of Object.entries(small)) {
    const { source, offset, byteLength } = tensors.get(name)!;
    const values = decodeF32('BF16', await source.read(offset, byteLength));
    expect(new Uint8Array(values.buffer), name).toEqual(data);
  }
});
