/** Checkpoints by what people point at: files, indices of shards, folders; and what lies beside them. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { gptWeightShapes, parseGptConfig } from '../../src/models/gpt-config.ts';
import { parseModelJson } from '../../src/models/model-json.ts';
import { parseVqConfig } from '../../src/models/vq-config.ts';
import { vqWeightShapes } from '../../src/models/vq-weights.ts';
import { openCheckpointPath } from '../../src/node/checkpoint-path.ts';
import { type ConvertOptions, convertCheckpoint } from '../../src/node/convert.ts';
import { hashCheckpoints } from '../../src/node/hash-checkpoints.ts';
import type { WantedTensor } from '../../src/weights/join.ts';
import { type StoredTensor, writeSafetensors } from '../support/safetensors.ts';

const GPT = parseGptConfig({
  ...{ dim: 16, n_layer: 1, n_head: 4, vocab_size: 48, num_classes: 3, block_size: 16 },
  ...{ multiple_of: 16, norm_eps: 1e-6 },
});
const VQ = parseVqConfig({
  ...{ ch: 32, ch_mult: [1], num_res_blocks: 1, z_channels: 32, codebook_size: 48 },
  codebook_l2_norm: false,
});
/** As LlamaGen's own upload writes them. */
const GPT_CONFIG = {
  ...{ dim: 16, n_layer: 1, n_head: 4, n_kv_head: null, multiple_of: 16, norm_eps: 1e-6 },
  ...{ model_type: 'c2i', num_classes: 3, vocab_size: 48, block_size: 16, cls_token_num: 1 },
};
const VQ_CONFIG = {
  codebook_l2_norm: false,
  codebook_size: 48,
  encoder_ch_mult: [1],
  z_channels: 32,
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-path-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const zeros = (wanted: readonly WantedTensor[]): Record<string, StoredTensor> =>
  Object.fromEntries(
    wanted.map(({ name, shape }) => {
      const bytes = new Uint8Array(2 * shape.reduce((n, d) => n * d, 1));
      return [name, { dtype: 'F16', shape, bytes }];
    }),
  );
const write = (name: string, content: Uint8Array | string | object): string => {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  const isRaw = content instanceof Uint8Array || typeof content === 'string';
  writeFileSync(path, isRaw ? content : JSON.stringify(content));
  return path;
};
/** Writes a file of some tensors. */
const tensors = (name: string, wanted: readonly WantedTensor[]): string =>
  write(name, writeSafetensors(zeros(wanted)));

/** A decoder in two shards with their index, whose path is returned. */
function shards(at: string, stem = 'model', ending = '.safetensors'): string {
  const wanted = gptWeightShapes(GPT);
  const parts = [wanted.slice(0, 5), wanted.slice(5)];
  const names = parts.map((_, i) => `${stem}-0000${i + 1}-of-00002${ending}`);
  for (const [i, part] of parts.entries()) tensors(join(at, names[i]!), part);
  const where = parts.flatMap((part, i) => part.map(({ name }) => [name, names[i]] as const));
  const index = { metadata: { total_size: 1 }, weight_map: Object.fromEntries(where) };
  return write(join(at, `${stem}${ending}.index.json`), `\uFEFF${JSON.stringify(index)}`);
}

describe('shards', () => {
  test('by their index or their folder; their hash is that of the list of sha256sum', async () => {
    const index = shards('c2i_B_384');
    for (const path of [index, join(folder, 'c2i_B_384')]) {
      const opened = await openCheckpointPath(path);
      expect(opened).toMatchObject({
        path,
        file: index,
        titles: ['model.safetensors.index.json', 'c2i_B_384'],
      });
      expect(opened.checkpoint.tensors.size).toBe(gptWeightShapes(GPT).length);
      const sums = [1, 2].map((i) => {
        const name = `model-0000${i}-of-00002.safetensors`;
        const bytes = readFileSync(join(folder, 'c2i_B_384', name));
        return `${createHash('sha256').update(bytes).digest('hex')}  ${name}\n`;
      });
      const progress: number[][] = [];
      const hashes = await hashCheckpoints([opened], {
        onProgress: (done, total) => progress.push([done, total]),
      });
      expect(hashes.get(path)).toBe(createHash('sha256').update(sums.join('')).digest('hex'));
      expect(progress.at(-1)?.[0]).toBe(progress.at(-1)?.[1]);
    }
  });

  test('one alone says that the index is needed, and where it is', async () => {
    const index = shards('a');
    const lone = openCheckpointPath(join(folder, 'a', 'model-00002-of-00002.safetensors'));
    await expect(lone).rejects.toThrow(OptionError);
    await expect(lone).rejects.toThrow(`is one of 2 shards: give their index, ${index}`);
    rmSync(index);
    for (const path of [join(folder, 'a', 'model-00001-of-00002.safetensors'), join(folder, 'a')]) {
      await expect(openCheckpointPath(path)).rejects.toThrow(
        'is one of 2 shards: give their index (model.safetensors.index.json), which belongs beside them',
      );
    }
    // The only one of its kind is whole.
    const whole = tensors('b/model-00001-of-00001.safetensors', gptWeightShapes(GPT));
    expect((await openCheckpointPath(whole)).file).toBe(whole);
  });

  test('a missing shard and shards of another kind are named', async () => {
    const index = shards('a');
    rmSync(join(folder, 'a', 'model-00001-of-00002.safetensors'));
    const missing = openCheckpointPath(index);
    await expect(missing).rejects.toThrow(WeightsError);
    await expect(missing).rejects.toThrow(
      'shard model-00001-of-00002.safetensors cannot be opened',
    );
    const bin = { weight_map: { a: 'pytorch_model-00001-of-00002.bin' } };
    const other = write('c/pytorch_model.bin.index.json', bin);
    await expect(openCheckpointPath(other)).rejects.toThrow('expected the name of a .safetensors');
    await expect(openCheckpointPath(join(folder, 'c'))).rejects.toThrow('.safetensors file, got');
    const config = write('d/config.json', GPT_CONFIG);
    await expect(openCheckpointPath(config)).rejects.toThrow('it is neither');
  });
});

describe('a folder', () => {
  test('with one file of the first kind there is stands for it', async () => {
    const file = tensors('a/model.safetensors', gptWeightShapes(GPT));
    write('a/README.md', 'text');
    write('a/pytorch_model.bin', 'not looked at');
    expect((await openCheckpointPath(join(folder, 'a'))).file).toBe(file);
    const index = shards('a');
    expect((await openCheckpointPath(join(folder, 'a'))).file).toBe(index);
  });

  test('with several, or none, asks for one', async () => {
    for (let i = 0; i < 7; i++) tensors(`a/model${i}.safetensors`, []);
    const several = openCheckpointPath(join(folder, 'a'));
    await expect(several).rejects.toThrow(OptionError);
    await expect(several).rejects.toThrow(
      /has 7 checkpoints: give one of them \(model0.safetensors, .*model4.safetensors, ...\)$/,
    );
    const none = openCheckpointPath(folder);
    await expect(none).rejects.toThrow(OptionError);
    await expect(none).rejects.toThrow('a folder without a checkpoint');
  });
});

describe('a config.json beside the file', () => {
  const out = () => join(folder, 'out');
  const convert = (options: Partial<ConvertOptions> = {}) =>
    convertCheckpoint({ gpt: join(folder, 'gpt'), vq: join(folder, 'vq'), out: out(), ...options });
  beforeEach(() => {
    tensors('gpt/model.safetensors', gptWeightShapes(GPT));
    tensors('vq/model.safetensors', vqWeightShapes(VQ));
    write('gpt/config.json', GPT_CONFIG);
    write('vq/config.json', `\uFEFF${JSON.stringify(VQ_CONFIG)}`);
  });
  const made = () => parseModelJson(readFileSync(join(out(), 'model.json'), 'utf8'));

  test('tells what tensors do not', async () => {
    await convert();
    expect(made()).toMatchObject({ gpt: GPT, vq: VQ });
  });

  test('that contradicts an option or the tensors is an error, unless it is ignored', async () => {
    const path = join(folder, 'gpt', 'config.json');
    const asked = convert({ grid: 5 });
    await expect(asked).rejects.toThrow(OptionError);
    await expect(asked).rejects.toThrow(`args:    ${path}: block_size 16, so 4x4`);
    write('vq/config.json', { ...VQ_CONFIG, codebook_size: 16384 });
    const shaped = convert();
    await expect(shaped).rejects.toThrow(WeightsError);
    await expect(shaped).rejects.toThrow('codebook_size 16384');
    await convert({ grid: 5, heads: 2, ignore: ['args'] });
    expect(made()).toMatchObject({ gpt: { gridSize: 5, nHead: 2, normEps: 1e-5 } });
    expect(made().vq.codebookL2Norm).toBe(true);
  });

  test('that cannot be read is an error that names it, unless it is ignored', async () => {
    const path = write('gpt/config.json', '{"n_head": ');
    await expect(convert()).rejects.toThrow(`${path}: not JSON`);
    write('gpt/config.json', ' '.repeat(2 ** 20 + 1));
    await expect(convert()).rejects.toThrow(`${path}: has 1048577 bytes, at most 1048576 are read`);
    const opened = await openCheckpointPath(join(folder, 'gpt'), ['args']);
    expect(opened.args.flatMap(({ values }) => [...values])).toEqual([]);
  });
});
