/** `llamagen convert` as a user runs it. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { gptWeightShapes, parseGptConfig } from '../../src/models/gpt-config.ts';
import { parseVqConfig } from '../../src/models/vq-config.ts';
import { vqWeightShapes } from '../../src/models/vq-weights.ts';
import { counting, zeros } from '../support/checkpoints.ts';
import { commandLine } from '../support/command-line.ts';
import { llamagen } from '../support/llamagen.ts';
import { type Code, dict, long } from '../support/pickle.ts';
import { ROOT } from '../support/sources.ts';
import { layoutZip, ptEntries, writePtWith, writeSparse } from '../support/zip.ts';

const gpt = join(ROOT, 'test', 'golden', 'pt_checkpoints', 'ddp_model.pt');
const VQ_SIZES = { ch: 32, ch_mult: [1], num_res_blocks: 1, z_channels: 32 };
const VQ = parseVqConfig({ ...VQ_SIZES, codebook_size: 48 });

let folder: string;
let vq: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-cli-'));
  vq = join(folder, 'vq.pt');
  const save = (ema: Code): Code => dict({ ema, steps: long(3) });
  writeFileSync(vq, writePtWith(counting(vqWeightShapes(VQ)), save));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('makes a model folder and says what to run next', async () => {
  const out = join(folder, 'tiny');
  const args = ['convert', vq, gpt, '--out', out, '--grid', '4', '--heads', '2'];
  const { code, stdout } = await llamagen([...args, '--name', 'a name']);
  expect(code).toBe(0);
  expect(stdout).toContain('0.0M parameters as bf16');
  expect(stdout).toContain('\nnote: took "ema" of vq.pt\n');
  expect(stdout).toContain(`wrote ${out} (`);
  expect(stdout).toContain(`llamagen generate --model ${out}`);
  expect(readdirSync(out).sort()).toEqual(['gpt.safetensors', 'model.json', 'vq.safetensors']);
  expect(JSON.parse(readFileSync(join(out, 'model.json'), 'utf8')).name).toBe('a name');
});

test('without --out, the model is found by its name from anywhere', async () => {
  const env = { XDG_DATA_HOME: join(folder, 'data') };
  const args = ['convert', gpt, vq, '--grid', '4', '--heads', '2', '--name', 'found'];
  const made = await llamagen(args, { env });
  const out = join(folder, 'data', 'llamagen-webgpu', 'models', 'found');
  expect([made.code, made.stdout]).toEqual([0, expect.stringContaining(`wrote ${out} (`)]);
  expect(made.stdout).toContain('next: llamagen generate --model found --class 0');
  vi.stubEnv('XDG_DATA_HOME', env.XDG_DATA_HOME);
  const asked = ['generate', '--model', 'found', '--class', 'no such class'];
  const { stderr } = await commandLine(...asked, '--out', join(folder, 'a.png'));
  expect(stderr).toMatch(/unknown class "no such class"/);
  expect((await commandLine(...args)).stderr).toMatch(/found: it has files already/);
  vi.unstubAllEnvs();
});

test('--json prints one object', async () => {
  const out = join(folder, 'json');
  const args = ['convert', gpt, vq, '--out', out, '--grid', '4', '--heads', '2'];
  const more = ['--dtype', 'f16', '--ignore', 'name,args', '--json'];
  const { code, stdout } = await llamagen([...args, ...more]);
  expect(code).toBe(0);
  const { flushed, ...summary } = JSON.parse(stdout);
  expect(summary).toMatchObject({ folder: out, dtype: 'f16', parameters: { gpt: 8448 } });
  expect(flushed).toBeGreaterThanOrEqual(0);
});

describe('Ctrl-C', () => {
  /** Two tensors of 268 MB, which take a second or more. */
  const SLOW = parseGptConfig({
    ...{ dim: 256, n_layer: 1, n_head: 2, vocab_size: 2 ** 18, num_classes: 3, block_size: 16 },
  });
  const CODES = parseVqConfig({ ...VQ_SIZES, codebook_size: 2 ** 18 });

  test.each([1, 2])('pressed %i times leaves nothing behind', async (interrupts) => {
    const home = mkdtempSync(join(folder, 'stop-'));
    const [slow, codes, out] = ['gpt.pt', 'vq.pt', 'out'].map((name) => join(home, name));
    writeSparse(slow!, layoutZip(ptEntries(zeros(gptWeightShapes(SLOW)))));
    writeSparse(codes!, layoutZip(ptEntries(zeros(vqWeightShapes(CODES)))));
    const files = (): string[] => readdirSync(home, { recursive: true, encoding: 'utf8' });
    const args = ['convert', slow!, codes!, '--out', out!, '--grid', '4', '--heads', '2'];
    const { code, stdout } = await llamagen(args, {
      interrupts,
      interruptWhen: () => files().some((name) => name.endsWith('gpt.safetensors')),
    });
    expect(stdout).toBe('');
    expect(code).toBe(130);
    expect(files().sort()).toEqual(['gpt.pt', 'vq.pt']);
  });
});

describe('wrong usage', () => {
  const out = () => join(folder, 'wrong');
  test.each<[string, () => string[], number, RegExp]>([
    ['no files', () => ['--out', out()], 2, /missing required argument 'files'/],
    [
      'no folder and no name',
      () => [gpt, vq],
      2,
      /where to\? give .* a name \(--name\).*\(--out\)/,
    ],
    [
      'a name that leads elsewhere',
      () => [gpt, vq, '--name', '../a'],
      2,
      /"..\/a" cannot be the name/,
    ],
    ['an empty folder name', () => [gpt, vq, '--out', ''], 2, /Expected a path, got nothing/],
    ['an unknown type', () => [gpt, vq, '--out', out(), '--dtype', 'int3'], 2, /Allowed choices/],
    ['three files', () => [gpt, vq, gpt, '--out', out()], 2, /got 3 files/],
    ['one file', () => [vq, '--out', out()], 2, /give a decoder, like c2i_B_256.pt/],
    ['no grid', () => [gpt, vq, '--out', out(), '--heads', '2'], 2, /\(--grid\)/],
    ['no heads', () => [gpt, vq, '--out', out(), '--grid', '4'], 2, /\(--heads\)/],
    ['a folder in use', () => [gpt, vq, '--out', folder], 2, /has files already/],
    [
      'a file that is no checkpoint',
      () => [gpt, join(ROOT, 'package.json'), '--out', out()],
      1,
      /package.json: expected a checkpoint of torch.save \(.pt\) or a safetensors file/,
    ],
  ])('%s', async (_, args, expected, message) => {
    const { code, stderr, stdout } = await commandLine('convert', ...args());
    expect(stderr).toMatch(message);
    expect(code).toBe(expected);
    expect(stdout).toBe('');
    expect(existsSync(out())).toBe(false);
  });
});
