/** `llamagen pull`, against a hub of the test's own. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CHECKPOINTS } from '../../src/catalogue/checkpoints.ts';
import { IMAGENET_CLASSES } from '../../src/catalogue/imagenet-classes.ts';
import type { AdapterView } from '../../src/cli/adapter-view.ts';
import { resolveModel } from '../../src/cli/models.ts';
import { type Convert, type PullOptions, type PullTools, runPull } from '../../src/cli/pull.ts';
import { DeviceError, DownloadError, OptionError } from '../../src/errors.ts';
import { loadTextEncoder, openPromptReader } from '../../src/index.ts';
import { gptWeightShapes, parseGptConfig } from '../../src/models/gpt-config.ts';
import { parseModelJson } from '../../src/models/model-json.ts';
import { parseVqConfig } from '../../src/models/vq-config.ts';
import { vqWeightShapes } from '../../src/models/vq-weights.ts';
import { convertCheckpoint } from '../../src/node/convert.ts';
import { openDevice } from '../../src/node/device.ts';
import { openFile, openFolder } from '../../src/node/files.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { counting } from '../support/checkpoints.ts';
import { commandLine } from '../support/command-line.ts';
import { type FakeHub, sha256, startHub } from '../support/hub.ts';
import { llamagen } from '../support/llamagen.ts';
import { startProxy } from '../support/proxy.ts';
import { normal } from '../support/random.ts';
import { recordedReport } from '../support/report.ts';
import { bytesOf, writeSafetensors } from '../support/safetensors.ts';
import { ROOT } from '../support/sources.ts';
import { TINY_T5, t5Tensors } from '../support/tiny-t5.ts';
import { TINY_TOKENIZER } from '../support/tiny-text-model.ts';
import { until } from '../support/until.ts';
import { writePt } from '../support/zip.ts';

const REPO = 'FoundationVision/LlamaGen';
const GPT = Buffer.from('the decoder');
const VQ = Buffer.from('the tokenizer');

const BIG: AdapterView = {
  description: 'Test GPU',
  software: false,
  maxBufferSize: 2 ** 33,
  maxStorageBufferBindingSize: 2 ** 32,
};
/** Default limits, which weights do not need to fit, and memory that says what is too large. */
const SMALL: AdapterView = {
  ...BIG,
  maxBufferSize: 2 ** 27,
  maxStorageBufferBindingSize: 2 ** 27,
  memoryBytes: 8e9,
};

let hub: FakeHub;
let folder: string;
let converted: Parameters<Convert>[0][];
beforeEach(async () => {
  hub = await startHub();
  hub.files.set(`${REPO}/c2i_B_256.pt`, GPT);
  hub.files.set(`${REPO}/vq_ds16_c2i.pt`, VQ);
  folder = mkdtempSync(join(tmpdir(), 'llamagen-pull-'));
  converted = [];
});
afterEach(async () => {
  await hub.close();
  rmSync(folder, { recursive: true });
});

const at = (name: string): string => join(folder, name);
const env = () => ({ HF_ENDPOINT: hub.endpoint, LLAMAGEN_CACHE: at('cache'), HOME: folder });

/** Writes what tells that a model is there, and remembers what it was asked. */
const convert: Convert = async (options) => {
  converted.push(options);
  options.onProgress?.('convert', 1, 2);
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'model.json'), '{}');
  return { folder: options.out, parameters: { gpt: 111, vq: 72 }, bytes: 5e6 };
};

async function pull(options: Partial<PullOptions>, tools: PullTools = {}) {
  const { report, stdout, stderr } = recordedReport(options.json);
  const all = {
    convert,
    env: env(),
    freeBytes: async () => 1e12,
    timing: { retries: 1, firstWaitMs: 1 },
    viewAdapter: async () => BIG,
    ...tools,
  };
  const run = runPull(
    { out: at('model'), dtype: 'bf16', ...options },
    report,
    new AbortController().signal,
    all,
  );
  const error: unknown = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, stdout: stdout(), stderr: stderr() };
}

describe('pull', () => {
  test('fetches tokenizer and decoder, converts them and says what to run next', async () => {
    const { error, stdout } = await pull({ name: 'c2i_B_256' });
    expect(error).toBeUndefined();
    expect(converted).toHaveLength(1);
    const [asked] = converted;
    expect(readFileSync(asked!.gpt).equals(GPT)).toBe(true);
    expect(readFileSync(asked!.vq).equals(VQ)).toBe(true);
    expect(asked).toMatchObject({
      out: at('model'),
      dtype: 'bf16',
      name: 'c2i-B-256',
      grid: 16,
      hashes: { [asked!.gpt]: sha256(GPT), [asked!.vq]: sha256(VQ) },
    });
    expect(asked!.classNames).toEqual(IMAGENET_CLASSES);
    expect(asked!.description).toContain('256x256 pixels');
    expect(stdout).toContain('adapter  Test GPU');
    expect(stdout).toContain(`next     llamagen generate --model ${at('model')} --class "golden`);
  });

  test('does nothing again when the folder is there', async () => {
    await pull({ name: 'c2i-B-256' });
    const requests = hub.seen.length;
    const { error, stdout } = await pull({ name: 'c2i-B-256' });
    expect(error).toBeUndefined();
    expect(stdout).toMatch(/is there already[\s\S]*next {5}llamagen generate/);
    expect([hub.seen.length, converted.length]).toEqual([requests, 1]);
  });

  test('of another folder takes the files from the cache', async () => {
    await pull({ name: 'c2i-B-256' });
    const { stdout } = await pull({ name: 'c2i-B-256', out: at('other'), dtype: 'f16' });
    expect(stdout).toMatch(/c2i_B_256.pt .*in the cache/);
    expect(hub.fetches()).toHaveLength(2);
    expect(converted.map(({ dtype }) => dtype)).toEqual(['bf16', 'f16']);
  });

  test('with --json prints one object on stdout', async () => {
    const { stdout, stderr } = await pull({ name: 'c2i-B-256', json: true });
    expect(JSON.parse(stdout)).toMatchObject({
      folder: at('model'),
      made: true,
      dtype: 'bf16',
      parameters: { gpt: 111, vq: 72 },
      files: [
        { repo: REPO, file: 'vq_ds16_c2i.pt', sha256: sha256(VQ), fromCache: false },
        { repo: REPO, file: 'c2i_B_256.pt', sha256: sha256(GPT), fromCache: false },
      ],
      next: expect.stringContaining('llamagen generate'),
    });
    expect(stderr).toContain('next');
  });

  test('of a tokenizer alone fetches it and says how to use it', async () => {
    const { error, stdout } = await pull({ name: 'vq_ds16_c2i' });
    expect(error).toBeUndefined();
    expect(converted).toEqual([]);
    expect(stdout).toContain(`vq_ds16_c2i.pt is ${at(`cache/blobs/${sha256(VQ)}`)}`);
    expect(stdout).toMatch(/next {5}llamagen convert DECODER.pt /);
  });
});

describe('pull of a model of texts', () => {
  const TEXT_REPO = 'peizesun/llamagen_t2i';
  const T5_REPO = 'google/flan-t5-xl';
  const tensor = (values: number, seed: number) => ({
    dtype: 'F32',
    shape: [values],
    bytes: bytesOf(normal(values, seed, 1)),
  });
  const shards = {
    'model-00001-of-00002.safetensors': {
      'shared.weight': tensor(1000, 1),
      'decoder.block.0.a': tensor(400_000, 2),
      'encoder.block.0.a': tensor(2000, 3),
    },
    'model-00002-of-00002.safetensors': {
      'encoder.block.1.a': tensor(3000, 4),
      'lm_head.weight': tensor(400_000, 5),
    },
    'model-00003-of-00002.safetensors': { 'decoder.block.1.a': tensor(10, 6) },
  };
  beforeEach(() => {
    for (const file of ['t2i_XL_stage1_256.pt', 't2i_XL_stage2_512.pt']) {
      hub.files.set(`${TEXT_REPO}/${file}`, Buffer.from(`decoder ${file}`));
    }
    hub.files.set(`${TEXT_REPO}/vq_ds16_t2i.pt`, VQ);
    const weight_map: Record<string, string> = {};
    for (const [file, tensors] of Object.entries(shards)) {
      hub.files.set(`${T5_REPO}/${file}`, Buffer.from(writeSafetensors(tensors)));
      for (const name of Object.keys(tensors)) weight_map[name] = file;
    }
    const small = {
      'model.safetensors.index.json': { weight_map },
      'config.json': { d_model: 2048 },
      'tokenizer.json': { model: {} },
    };
    for (const [file, json] of Object.entries(small)) {
      hub.small.set(`${T5_REPO}/${file}`, Buffer.from(JSON.stringify(json)));
    }
  });

  test('fetches the encoder of its T5 with it, and nothing else of the shards', async () => {
    const { error, stdout } = await pull({ name: 't2i-XL-256' });
    expect(error).toBeUndefined();
    const [asked] = converted;
    expect(asked).toMatchObject({ name: 't2i-XL-256', grid: 16 });
    expect(asked!.classNames).toBeUndefined();
    const { config, tokenizer, weights } = asked!.text!;
    expect(readFileSync(config, 'utf8')).toBe('{"d_model":2048}');
    expect(readFileSync(tokenizer, 'utf8')).toBe('{"model":{}}');
    const names = await Promise.all(
      weights.map(async (path) => [
        ...(await openSafetensors(await openFile(path))).tensors.keys(),
      ]),
    );
    expect(names).toEqual([['shared.weight', 'encoder.block.0.a'], ['encoder.block.1.a']]);
    expect(stdout).toMatch(/model-00001-of-00002.safetensors, model-00002.* encoder from google/);
    expect(stdout).toMatch(/next {5}llamagen generate --model .* --prompt "a golden retriever/);
  });

  test('makes a folder that reads texts', async () => {
    const config = parseGptConfig({
      ...{ model_type: 't2i', dim: 16, n_layer: 1, n_head: 2, vocab_size: 48, block_size: 256 },
      ...{ multiple_of: 16, caption_dim: TINY_T5.d_model, cls_token_num: 6 },
    });
    const vq = parseVqConfig({
      ...{ ch: 32, ch_mult: [1, 1, 1, 1, 1], num_res_blocks: 1, z_channels: 32, codebook_size: 48 },
    });
    // The RoPE table tells the heads, which an official size would.
    const table = { name: 'freqs_cis', shape: [6 + 256, 4, 2] };
    const gptFile = writePt(counting([...gptWeightShapes(config), table]));
    hub.files.set(`${TEXT_REPO}/t2i_XL_stage1_256.pt`, Buffer.from(gptFile));
    const vqFile = writePt(counting(vqWeightShapes(vq)));
    hub.files.set(`${TEXT_REPO}/vq_ds16_t2i.pt`, Buffer.from(vqFile));
    const names = Object.entries(t5Tensors());
    const halves = [names.slice(0, 9), names.slice(9)].map((part) => Object.fromEntries(part));
    const weight_map: Record<string, string> = {};
    for (const [i, file] of Object.keys(shards).slice(0, 2).entries()) {
      const tensors = { ...halves[i], [`decoder.block.${i}.a`]: tensor(300_000, i) };
      hub.files.set(`${T5_REPO}/${file}`, Buffer.from(writeSafetensors(tensors)));
      for (const name of Object.keys(tensors)) weight_map[name] = file;
    }
    const small = {
      'model.safetensors.index.json': JSON.stringify({ weight_map }),
      'config.json': JSON.stringify(TINY_T5),
      'tokenizer.json': TINY_TOKENIZER,
    };
    for (const [file, json] of Object.entries(small)) {
      hub.small.set(`${T5_REPO}/${file}`, Buffer.from(json));
    }
    const { error, stdout } = await pull({ name: 't2i-XL-256' }, { convert: convertCheckpoint });
    expect([error, stdout]).toEqual([undefined, expect.stringContaining('wrote ')]);
    const files = openFolder(at('model'));
    const json = parseModelJson(readFileSync(at('model/model.json'), 'utf8'));
    expect(json).toMatchObject({ name: 't2i-XL-256', gpt: config, text: { maxLength: 6 } });
    const reader = await openPromptReader(files, json);
    expect(reader.read(['Two lemon'])[0]?.ids).toEqual([5, 4, 1]);
    const { device, close } = await openDevice({ adapter: 'swiftshader' });
    const encoder = await loadTextEncoder(device, files, { maxLength: 6 });
    expect(await encoder.encode([[5, 4, 1]])).toMatchObject([{ tokens: 3, dim: 24 }]);
    close();
  });

  test('of another size takes the T5 from the cache', async () => {
    await pull({ name: 't2i-XL-256' });
    const before = hub.fetches().length;
    const { error, stdout } = await pull({ name: 't2i-XL-512', out: at('larger') });
    expect(error).toBeUndefined();
    expect(stdout).toMatch(/model-00001.* in the cache/);
    expect(hub.fetches()).toHaveLength(before + 1);
    expect(converted[1]!.text).toEqual(converted[0]!.text);
  });

  test('counts the T5 where the disk is too small', async () => {
    const { error } = await pull({ name: 't2i-XL-256' }, { freeBytes: async () => 9e9 });
    expect(String(error)).toMatch(/downloading and converting t2i-XL-256 needs 9.* GB/);
    expect(hub.fetches()).toEqual([]);
  });

  test('says so where the hub has another repository in place of the T5', async () => {
    const index = { weight_map: { 'h.0.attn': 'model-00001-of-00002.safetensors' } };
    hub.small.set(`${T5_REPO}/model.safetensors.index.json`, Buffer.from(JSON.stringify(index)));
    const { error } = await pull({ name: 't2i-XL-256' });
    expect(String(error)).toMatch(/names no tensor of the encoder of a T5/);
  });
});

test("pull without --out makes a folder among the user's models", async () => {
  const { report, stdout } = recordedReport();
  const tools = {
    convert,
    env: { ...env(), XDG_DATA_HOME: at('data') },
    viewAdapter: async () => BIG,
  };
  const freeBytes = async () => 1e12;
  const { signal } = new AbortController();
  const options = { name: 'c2i_B_256', dtype: 'bf16' } as const;
  await runPull(options, report, signal, { ...tools, freeBytes });
  const made = at('data/llamagen-webgpu/models/c2i-B-256');
  expect(converted.map(({ out }) => out)).toEqual([made]);
  expect(stdout()).toContain(`wrote    ${made}, `);
  vi.stubEnv('XDG_DATA_HOME', at('data'));
  expect(resolveModel('c2i_B_256.pt')).toBe(made);
  await runPull(options, report, signal, tools);
  vi.unstubAllEnvs();
  expect(stdout()).toMatch(
    /is there already.*\nnext {5}llamagen generate --model c2i-B-256 --class/,
  );
});

describe('pull refuses', () => {
  test.each([
    ['no name', undefined, /which model\? "llamagen pull --list"/],
    ['a misspelt name', 'c2i-B-265', /no official model "c2i-B-265": did you mean c2i-B-256/],
  ])('%s', async (_, name, message) => {
    const { error } = await pull(name === undefined ? {} : { name });
    expect(error).toBeInstanceOf(OptionError);
    expect(String(error)).toMatch(message);
    expect(hub.seen).toEqual([]);
  });

  test('a model that the adapter cannot hold, and says which it can', async () => {
    const tiny = { ...BIG, maxStorageBufferBindingSize: 60e6 };
    const { error } = await pull({ name: 'c2i-3B-384' }, { viewAdapter: async () => tiny });
    expect(error).toBeInstanceOf(DeviceError);
    expect(String(error)).toMatch(
      /cannot hold c2i-3B-384: even at int4 .* takes .* maxStorageBufferBindingSize .* 60.0 MB; it can hold c2i-B-256.*; --force/,
    );
    expect(hub.seen).toEqual([]);
  });

  test('it with --force no more', async () => {
    const none = { ...BIG, maxBufferSize: 1000 };
    const tools = { viewAdapter: async () => none };
    const refused = await pull({ name: 'c2i-B-256' }, tools);
    expect(String(refused.error)).toMatch(/it can hold no official model/);
    expect((await pull({ name: 'c2i-B-256', force: true }, tools)).error).toBeUndefined();
  });

  test('nothing without an adapter', async () => {
    const tools = { viewAdapter: async () => undefined };
    expect((await pull({ name: 'c2i-B-256' }, tools)).error).toBeUndefined();
  });

  test('a full disk, before the first byte: downloads and folder together', async () => {
    const { error } = await pull({ name: 'c2i-B-256' }, { freeBytes: async () => 400e6 });
    expect(error).toBeInstanceOf(DownloadError);
    expect(String(error)).toMatch(
      /downloading and converting c2i-B-256 needs 509.3 MB.*400.0 MB free/,
    );
    expect(hub.fetches()).toEqual([]);
  });

  test('a file that the hub does not have', async () => {
    hub.files.delete(`${REPO}/c2i_B_256.pt`);
    const { error } = await pull({ name: 'c2i-B-256' });
    expect(String(error)).toMatch(/no file "c2i_B_256.pt" in "FoundationVision\/LlamaGen"/);
    expect(hub.fetches()).toEqual([]);
  });

  test('an output folder that cannot be made', async () => {
    writeFileSync(at('file'), '');
    const { error } = await pull({ name: 'c2i-B-256', out: at('file/model') });
    expect(error).toBeInstanceOf(OptionError);
    const occupied = await pull({ name: 'c2i-B-256', out: folder });
    expect(String(occupied.error)).toMatch(/it has files already/);
    expect(hub.seen).toEqual([]);
  });
});

test('pull notes a model that fits at some storage types only', async () => {
  hub.files.set(`${REPO}/c2i_3B_384.pt`, GPT);
  const { error, stderr } = await pull({ name: 'c2i-3B-384' }, { viewAdapter: async () => SMALL });
  expect(error).toBeUndefined();
  expect(stderr).toMatch(
    /holds c2i-3B-384 at bf16, f16, int8, int4 only: at f32 it takes 13\d{3}.\d MB, and this adapter has 8000.0 MB/,
  );
});

describe('--list', () => {
  test('shows every model, with no network', async () => {
    const { error, stdout } = await pull({ list: true }, { viewAdapter: async () => SMALL });
    expect(error).toBeUndefined();
    expect(hub.seen).toEqual([]);
    const lines = stdout.split('\n');
    for (const { name } of CHECKPOINTS) {
      expect(lines.filter((line) => line.startsWith(`${name} `))).toHaveLength(1);
    }
    expect(lines.find((line) => line.startsWith('c2i-B-256'))).toMatch(
      /111M +16x16 +~0.73 .* yes$/,
    );
    expect(lines.find((line) => line.startsWith('c2i-3B-384'))).toMatch(/bf16 f16 int8 int4$/);
    expect(stdout).toMatch(/Test GPU: buffers up to 134.2 MB.*8000.0 MB of memory/);
    expect(Math.max(...lines.slice(0, 13).map(({ length }) => length))).toBeLessThanOrEqual(100);
  });

  test('--markdown is the table of docs/checkpoints.md', async () => {
    const { stdout } = await commandLine('pull', '--list', '--markdown');
    const docs = readFileSync(join(ROOT, 'docs', 'checkpoints.md'), 'utf8');
    expect(stdout).toMatch(/^\| name \|/);
    expect(docs).toContain(`\n\n${stdout}\n`);
    expect(await commandLine('pull', '--markdown')).toEqual({ code: 0, stdout, stderr: '' });
  });

  test('works without an adapter', async () => {
    const { stdout } = await pull({ list: true }, { viewAdapter: async () => undefined });
    expect(stdout).toMatch(/c2i-L-384 .* unknown\n/);
  });

  test('with --json has every number', async () => {
    const tools = { viewAdapter: async () => SMALL };
    const { models } = JSON.parse((await pull({ list: true, json: true }, tools)).stdout);
    const big = models.find(({ name }: { name: string }) => name === 'c2i-3B-384');
    expect(big).toMatchObject({ grid: 24, pixels: 384, downloadBytes: { estimated: true } });
    expect(big.memory.f32.problem).toMatch(/has 8000.0 MB of memory/);
    expect(big.memory.int4.problem).toBeUndefined();
    expect(big.memory.int4.total).toBeLessThan(big.memory.bf16.total);
  });
});

describe('the command', { timeout: 60_000 }, () => {
  test('pulls a tokenizer', async () => {
    const { code, stdout, stderr } = await llamagen(['pull', 'vq-ds16-c2i', '--json'], {
      env: env(),
    });
    expect([code, stderr]).toEqual([0, expect.stringContaining('next')]);
    expect(JSON.parse(stdout).files).toMatchObject([{ sha256: sha256(VQ), fromCache: false }]);
  });

  test('exits with 2 for a name it does not know, with 1 for a hub that refuses', async () => {
    const unknown = await llamagen(['pull', 'c2i-Q-256'], { env: env() });
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringMatching(/did you mean/)]);
    hub.files.clear();
    const refused = await llamagen(['pull', 'vq-ds16-c2i'], { env: env() });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/set HF_TOKEN/)]);
  });

  test('stops on Ctrl-C and keeps what came', async () => {
    const half = VQ.subarray(0, 6);
    const part = at(`cache/blobs/${sha256(VQ)}.part`);
    hub.next('cdn', (_, res) => {
      res.writeHead(200, { 'content-length': VQ.byteLength });
      res.write(half);
    });
    const { code, stderr } = await llamagen(['pull', 'vq-ds16-c2i'], {
      env: env(),
      interruptAfter: until(() => statSync(part, { throwIfNoEntry: false })?.size === 6),
    });
    expect([code, stderr]).toEqual([130, expect.stringContaining('llamagen: stopped')]);
    expect(readdirSync(at('cache/blobs'))).toEqual([`${sha256(VQ)}.part`]);
    expect(readFileSync(part).equals(half)).toBe(true);
  });

  test('stops on Ctrl-C while a proxy does not answer', async () => {
    const proxy = await startProxy(() => {});
    let at = 0;
    const asked = until(() => proxy.asked.length > 0).then(() => (at = performance.now()));
    const { code, stderr } = await llamagen(['pull', 'vq-ds16-c2i'], {
      env: { ...env(), HTTP_PROXY: proxy.host },
      interruptAfter: asked,
    });
    const tookMs = performance.now() - at;
    await proxy.close();
    expect([code, stderr]).toEqual([130, expect.stringContaining('llamagen: stopped')]);
    expect(tookMs).toBeLessThan(10_000);
    expect(proxy.connections()).toBe(1);
  });
});
