/** `generate` and `embed` with texts, by a tiny model of random weights. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { runDecode } from '../../src/cli/decode.ts';
import { runEmbed } from '../../src/cli/embed.ts';
import { type GenerateOptions, runGenerate } from '../../src/cli/generate.ts';
import { featuresFile, readFeaturesFile } from '../../src/generate/features-file.ts';
import { openFile } from '../../src/node/files.ts';
import { readPngFacts } from '../../src/node/png-read.ts';
import { readMade } from '../../src/picture/made.ts';
import { commandLine } from '../support/command-line.ts';
import { normal } from '../support/random.ts';
import { recordedReport } from '../support/report.ts';
import { ROOT } from '../support/sources.ts';
import { TINY_T5 } from '../support/tiny-t5.ts';
import { TINY_LENGTH, TINY_WORDS, writeTinyTextFolder } from '../support/tiny-text-model.ts';

vi.setConfig({ testTimeout: 180_000 });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-texts-'));
  writeTinyTextFolder(at('model'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => void vi.stubEnv('LLAMAGEN_CACHE', at('cache')));
afterEach(() => void vi.unstubAllEnvs());

const at = (...names: string[]): string => join(folder, ...names);
const never = new AbortController().signal;
const CAT = 'a cat on a red ground';
const LEMONS = 'Two lemon';

async function generate(more: Partial<GenerateOptions>) {
  const { report, stdout, stderr } = recordedReport(more.json);
  const defaults = { model: at('model'), count: 1, seed: 5, dtype: 'auto', scale: 1 } as const;
  await runGenerate({ ...defaults, out: at('all.png'), ...more }, report, never);
  return { stdout: stdout(), stderr: stderr() };
}

const tokensIn = (file: string): { prompt: string; seed: number; tokens: number[] }[] =>
  JSON.parse(readFileSync(file, 'utf8')).images;

describe('texts', () => {
  test('become pictures of one batch, and say what they are', async () => {
    const tokensOut = at('all.json');
    const asked = { prompt: [CAT, LEMONS], count: 2, labels: true, tokensOut };
    const first = await generate(asked);
    expect(first.stderr).toMatch(
      /^tiny-texts knows 7 things \(cat, lemon, .*"llamagen info tiny-texts" lists them/,
    );
    expect(first.stdout).toMatch(/text .* ms {2}2 prompts\nmodel {4}tiny-texts/);
    expect(first.stdout).toContain(`image 3  ${LEMONS}, seed 8\nwrote ${at('all.png')}`);
    const made = readMade(readPngFacts(at('all.png')).text);
    const images = [CAT, CAT, LEMONS, LEMONS].map((prompt, i) => ({ prompt, seed: 5 + i }));
    expect(made).toMatchObject({ model: 'tiny-texts', columns: 2, images });
    expect(made?.encoder).toMatch(/^[0-9a-f]{16}$/);
    expect(tokensIn(tokensOut)).toMatchObject(images);
    // The tokens decode to the same file, which says the same.
    const decoded = { model: at('model'), tokens: tokensOut, out: at('again.png'), scale: 1 };
    await runDecode({ ...decoded, labels: true }, recordedReport().report, never);
    expect(readFileSync(at('again.png')).equals(readFileSync(at('all.png')))).toBe(true);
  });

  test('alone are what they are beside others, their features from the cache', async () => {
    const alone = { prompt: [LEMONS], seed: 7, tokensOut: at('alone.json'), outDir: at('alone') };
    const { stdout, stderr } = await generate({ ...alone, json: true });
    expect(stderr).not.toMatch(/knows 7 things/);
    expect(JSON.parse(stdout)).toMatchObject({
      fromCache: 1,
      texts: [{ prompt: LEMONS, text: 'two lemon', tokens: 3 }],
      images: [{ index: 0, prompt: LEMONS, seed: 7 }],
    });
    expect(readdirSync(at('alone'))).toEqual(['0-two-lemon-7.png']);
    expect(tokensIn(at('alone.json'))[0]).toEqual(tokensIn(at('all.json'))[2]);
  });

  test('become features, which give the same pictures', async () => {
    const out = at('features.safetensors');
    const { report, stdout, stderr } = recordedReport();
    const long = `${LEMONS} on a red ground on a red ground`;
    writeFileSync(at('prompts.txt'), `\n${LEMONS}\r\n   ${long}  \n\n`);
    await runEmbed({ model: at('model'), prompts: at('prompts.txt'), out }, report, never);
    expect(stdout()).toMatch(/2 prompts, 1 from the cache\nprompt 0 3 tokens: two lemon\nprompt 1/);
    expect(stderr()).toMatch(/the model reads 8 tokens: cut "a red ground"/);
    const file = await readFeaturesFile(await openFile(out));
    expect(file.features.map(({ prompt, tokens }) => [prompt, tokens])).toEqual([
      ...[
        [LEMONS, 3],
        [long, TINY_LENGTH],
      ],
    ]);
    // A model without a text encoder draws them too.
    const drawer = at('drawer');
    cpSync(at('model'), drawer, { recursive: true });
    for (const name of ['t5.json', 't5.safetensors', 'tokenizer.json']) rmSync(join(drawer, name));
    const asked = { model: drawer, features: out, seed: 7, tokensOut: at('f.json') };
    const { stdout: said } = await generate(asked);
    expect(said).toContain(`image 0  ${LEMONS}, seed 7`);
    expect(tokensIn(at('f.json'))[0]).toEqual(tokensIn(at('all.json'))[2]);
  });

  test('come from standard input', () => {
    const args = ['--import', import.meta.resolve('tsx'), join(ROOT, 'src/cli/main.ts')];
    const asked = ['embed', '--model', at('model'), '--prompts', '-', '--out', '-'];
    const run = spawnSync(process.execPath, [...args, ...asked], {
      input: `${LEMONS}\n`,
      env: { ...process.env, LLAMAGEN_CACHE: at('cache') },
    });
    expect(run.status).toBe(0);
    expect(run.stdout.subarray(8).toString('latin1')).toMatch(/^\{.*Two lemon.*"caption"/);
  });
});

describe('refused before a device is opened', () => {
  const generateWith = (...args: string[]) =>
    commandLine('generate', '--model', at('model'), '--out', at('none.png'), ...args);
  const features = (name: string, tokens: number, dim: number): string => {
    const values = normal(tokens * dim, 1, 1);
    writeFileSync(at(name), featuresFile({ features: [{ values, tokens, dim }] }));
    return at(name);
  };

  test.each<[string, () => readonly string[], RegExp]>([
    ['nothing', () => [], /what is to be drawn\? give --class NAMES, or --prompt TEXT/],
    ['an empty text', () => ['--prompt', ' '], /the prompt is empty: describe a picture/],
    [
      'a text that cleaning empties',
      () => ['--prompt', CAT, '--prompt', 'https://example.com/a.png'],
      /prompt 2 "https:.* has no words once it is cleaned/,
    ],
    ['control characters', () => ['--prompt', 'a \u001b[2Jcat'], /control character U\+001B at 2/],
    ['a class', () => ['--class', '0'], /--class: tiny-texts reads prompts and has no classes/],
    ['both', () => ['--class', '0', '--prompt', CAT], /draws classes or prompts/],
    [
      'features beside texts',
      () => ['--features', features('a.safetensors', 2, 24), '--prompt', CAT],
      /--features stands for prompts/,
    ],
    [
      'features of another model',
      () => ['--features', features('b.safetensors', 2, 2048)],
      /b.safetensors" has 2048 features a token, and this model takes 24/,
    ],
    [
      'features of a longer text',
      () => ['--features', features('c.safetensors', TINY_LENGTH + 1, TINY_T5.d_model)],
      /has 9 tokens, and this model takes 8/,
    ],
    ['weights as features', () => ['--features', at('model/gpt.safetensors')], /expected features/],
    ['a file that is not there', () => ['--prompts', at('no.txt')], /--prompts: .*no such file/],
    [
      'a file without a text',
      () => {
        writeFileSync(at('blank.txt'), ' \n\n');
        return ['--prompts', at('blank.txt')];
      },
      /blank.txt has no text: expected one prompt per line/,
    ],
    [
      'a file that is no text',
      () => {
        writeFileSync(at('latin.txt'), Buffer.from([0x66, 0xfc, 0x72]));
        return ['--prompts', at('latin.txt')];
      },
      /latin.txt is not UTF-8 text/,
    ],
    [
      'an output that is an input',
      () => {
        writeFileSync(at('in.txt'), CAT);
        return ['--prompts', at('in.txt'), '--tokens-out', at('in.txt')];
      },
      /--tokens-out and --prompts are the same file/,
    ],
    ['a temperature below 0', () => ['--prompt', CAT, '--temperature', '-1'], /--temperature/],
  ])('%s', async (_, args, message) => {
    const { code, stderr } = await generateWith(...args());
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(at('none.png'))).toBe(false);
  });

  test('a text, of a model of classes', async () => {
    const asked = ['generate', '--model', 'fruits-96', '--prompt', CAT];
    const { code, stderr } = await commandLine(...asked);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/--prompt: fruits-96 draws its 32 classes and reads no prompts/),
    ]);
  });

  test('a text, of a model without a tokenizer', async () => {
    writeTinyTextFolder(at('mute'));
    rmSync(at('mute/tokenizer.json'));
    const asked = ['generate', '--model', at('mute'), '--prompt', CAT];
    const { code, stderr } = await commandLine(...asked);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/prompts need tokenizer.json, which cannot be read: .*has no file/),
    ]);
  });
});

test('features of another text encoder of the same size are refused', async () => {
  const values = normal(2 * TINY_T5.d_model, 1, 1);
  const features = [{ values, tokens: 2, dim: TINY_T5.d_model }];
  const bytes = featuresFile({ features, encoder: '0123456789abcdef' });
  writeFileSync(at('other.safetensors'), bytes);
  await expect(generate({ features: at('other.safetensors') })).rejects.toThrow(
    /has features of another text encoder \(0123456789abcdef\) than this model's/,
  );
});

test('info lists what a model of texts knows', async () => {
  const { code, stdout } = await commandLine('info', at('model'));
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^model {4}tiny-texts .*\n.*\ndraws {4}prompts of up to 8 tokens of 7 things/,
  );
  expect(stdout).toContain(TINY_WORDS.join(', '));
});
