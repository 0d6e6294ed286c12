/** The command line, end to end. */
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode as decodePng } from 'fast-png';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultModelFolder } from '../../src/node/files.ts';
import { readPngFacts } from '../../src/node/png-read.ts';
import { commandLine } from '../support/command-line.ts';
import { llamagen } from '../support/llamagen.ts';
import { writeTinyFolder } from '../support/tiny-model.ts';

/** One run on a software adapter that shares its processor with other tests. */
const RUN_MS = 120_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-test-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);

describe('help', () => {
  test('lists the commands', async () => {
    const { code, stdout } = await commandLine('--help');
    expect(code).toBe(0);
    for (const command of ['generate', 'decode', 'info', 'tune']) expect(stdout).toContain(command);
  });

  test('lists the options of a command', async () => {
    const { code, stdout } = await commandLine('generate', '--help');
    expect(code).toBe(0);
    for (const option of [
      '--class',
      '--count',
      '--seed',
      '--top-p',
      '--out-dir',
      '--tokens-out',
      '--dtype',
      '--precision',
      '--kv',
      '--profile',
    ]) {
      expect(stdout).toContain(option);
    }
  });

  test('says which model is taken without --model', async () => {
    const helpOf = async (name: string): Promise<string> =>
      (await commandLine(name, '--help')).stdout.replaceAll(/\s+/g, ' ');
    expect(await helpOf('generate')).toContain('(default: fruits-96, of prompts scenes-96;');
    expect(await helpOf('embed')).toContain('(default: scenes-96, which is shipped)');
    expect(await helpOf('decode')).toContain('(default: the one shipped)');
  });
});

describe('wrong usage', () => {
  const before = process.cwd();
  beforeAll(() => process.chdir(folder));
  afterAll(() => process.chdir(before));

  const lemon = ['generate', '--class', 'Lemon'];

  test.each<[string, string[], RegExp]>([
    ['no command', [], /Usage: llamagen/],
    ['an unknown command', ['paint'], /unknown command 'paint'/],
    [
      'an unknown option',
      [...lemon, '--cuont', '2'],
      /unknown option '--cuont'.*did you mean --count/is,
    ],
    ['no class', ['generate'], /--class/],
    ['an unknown class', ['generate', '--class', 'Lemmon'], /unknown class "Lemmon": .*"Lemon"/],
    ['a class out of range', ['generate', '--class', '32'], /32 classes \(0 to 31\)/],
    ['count 0', [...lemon, '--count', '0'], /--count.*from 1 to 4096/],
    ['count 4097', [...lemon, '--count', '4097'], /--count.*from 1 to 4096/],
    ['a negative seed', [...lemon, '--seed', '-1'], /--seed.*from 0/],
    ['a fraction as seed', [...lemon, '--seed', '1.5'], /--seed/],
    [
      'a seed too large for its last image',
      [...lemon, '--count', '2', '--seed', '9007199254740991'],
      /seed/,
    ],
    ['a scale that is text', [...lemon, '--cfg-scale', 'x'], /--cfg-scale.*number/],
    ['a negative scale', [...lemon, '--cfg-scale', '-1'], /--cfg-scale expected/],
    ['a share above 1', [...lemon, '--top-p', '1.5'], /--top-p expected/],
    ['an unknown storage', [...lemon, '--dtype', 'int3'], /--dtype.*Allowed choices are auto, f32/],
    ['two kinds of output', [...lemon, '--out', 'a.png', '--out-dir', 'b'], /cannot be used with/],
    ['one file for two outputs', [...lemon, '--out', 'x', '--tokens-out', './x'], /same file/],
    [
      'a folder that is missing',
      [...lemon, '--out', 'missing/a.png'],
      /cannot write missing\/a.png: no such/,
    ],
    ['a folder as file', [...lemon, '--out', '.'], /cannot write \.: it is a folder/],
    [
      'no tokens file',
      ['decode', '--tokens', 'missing.json', '--out', 'a.png'],
      /missing.json: cannot be read/,
    ],
  ])('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await commandLine(...args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stdout).toBe('');
    expect(code).toBe(2);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('generate', { timeout: RUN_MS }, () => {
  const two = ['generate', '--class', 'Orange,Lemon', '--seed', '5'];
  const tokensOf = (name: string) => JSON.parse(readFileSync(at(name), 'utf8'));

  test('writes the pictures and says what it did', async () => {
    const files = ['--out', at('two.png'), '--tokens-out', at('two.json')];
    const { code, stdout, stderr } = await llamagen([...two, ...files, '--json']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('adapter')]);
    const report = JSON.parse(stdout);
    expect(report.files).toEqual([at('two.png'), at('two.json')]);
    expect(report.images).toMatchObject([
      { index: 0, name: 'Orange', seed: 5 },
      { index: 1, name: 'Lemon', seed: 6 },
    ]);
    for (const name of ['load', 'compile', 'tokens', 'decode']) {
      expect(report.timings[name]).toBeGreaterThan(0);
    }
    expect(tokensOf('two.json')).toMatchObject({
      grid: [12, 12],
      images: [{ seed: 5 }, { seed: 6 }],
    });
    const png = decodePng(readFileSync(at('two.png')));
    expect([png.width, png.height]).toEqual([194, 96]);
    expect(deviation(png.data)).toBeGreaterThan(10);
    const { text } = readPngFacts(at('two.png'));
    expect(JSON.parse(text.get('llamagen') ?? '')).toMatchObject({
      model: 'fruits-96',
      columns: 2,
      images: [
        { class: 20, className: 'Orange', seed: 5 },
        { class: 16, className: 'Lemon', seed: 6 },
      ],
      cfgScale: 2,
      dtype: 'f32',
      scale: 1,
    });
  });

  test('gives the same file for the same seed', async () => {
    writeTinyFolder(at('tiny'));
    const args = ['generate', '--model', at('tiny'), '--class', '0,1', '--seed', '5', '--out'];
    for (const name of ['first.png', 'again.png']) {
      expect((await llamagen([...args, at(name)])).code).toBe(0);
    }
    expect(readFileSync(at('again.png')).equals(readFileSync(at('first.png')))).toBe(true);
  });

  test('gives an image again alone, with its own seed, as a file of its own', async () => {
    const args = ['--seed', '6', '--out-dir', at('new/folder'), '--tokens-out', at('one.json')];
    // With guesses, which change no token.
    args.push('--window', '3');
    const look = ['--scale', '2', '--labels'];
    expect((await llamagen(['generate', '--class', 'lemon', ...args, ...look])).code).toBe(0);
    expect(readdirSync(at('new/folder'))).toEqual(['0-lemon-6.png']);
    const { width, height, text } = readPngFacts(at('new/folder/0-lemon-6.png'));
    expect(width).toBe(192);
    expect(height).toBeGreaterThan(192);
    expect([text.get('Title'), JSON.parse(text.get('llamagen') ?? '').seed]).toEqual(['Lemon', 6]);
    expect(tokensOf('one.json').images[0]).toEqual(tokensOf('two.json').images[1]);
  });

  test('its tokens decode to the same file', async () => {
    const args = ['decode', '--tokens', at('two.json'), '--out', at('decoded.png')];
    expect((await llamagen(args)).code).toBe(0);
    expect(readFileSync(at('decoded.png')).equals(readFileSync(at('two.png')))).toBe(true);
  });

  test('refuses tokens out of the codebook', async () => {
    const file = tokensOf('two.json');
    file.images[1].tokens[3] = 1024;
    writeFileSync(at('bad.json'), JSON.stringify(file));
    const { code, stderr } = await llamagen([
      'decode',
      '--tokens',
      at('bad.json'),
      '--out',
      at('x.png'),
    ]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/images\[1\]\.tokens\[3\].*got 1024/),
    ]);
  });

  test('stops on Ctrl-C and leaves no file', async () => {
    const many = ['generate', '--class', 'Lemon', '--count', '64', '--out', at('stopped.png')];
    const { code, stderr } = await llamagen(many, { interruptAt: 'model' });
    expect([code, stderr]).toEqual([130, expect.stringContaining('stopped')]);
    expect(readdirSync(folder).filter((name) => /stopped|tmp/.test(name))).toEqual([]);
  });

  test('fails on a cut weights file in one line, and with --verbose says where', async () => {
    cpSync(defaultModelFolder(), at('model'), { recursive: true });
    truncateSync(at('model/gpt.safetensors'), 100_000);
    const args = [
      'generate',
      '--class',
      'Lemon',
      '--model',
      at('model'),
      '--out',
      at('broken.png'),
    ];
    const { code, stderr } = await llamagen(args);
    expect([code, stderr]).toEqual([1, expect.stringContaining('gpt.safetensors')]);
    expect(stderr).not.toMatch(/^ +at /m);
    expect((await llamagen([...args, '--verbose'])).stderr).toMatch(/^ +at /m);
    expect(readdirSync(folder)).not.toContain('broken.png');
  });
});

test('info shows the adapter and the models', { timeout: RUN_MS }, async () => {
  const { code, stdout } = await llamagen(['info', '--json']);
  expect(code).toBe(0);
  const { adapter, models, limits } = JSON.parse(stdout);
  expect(adapter.description).not.toBe('');
  expect(limits.maxStorageBufferBindingSize).toBeGreaterThan(2 ** 26);
  expect(models[0].parameters.gpt).toBeGreaterThan(1e6);
});

function deviation(data: ArrayLike<number>): number {
  const values = Array.from(data);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
}
