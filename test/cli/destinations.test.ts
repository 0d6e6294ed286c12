/** That outputs eat neither inputs nor each other, whatever they are called; nothing is run. */
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkDestinations, type Destinations } from '../../src/cli/destinations.ts';
import { OptionError } from '../../src/errors.ts';
import { Claims } from '../../src/node/claims.ts';

let folder: string;
let model: string;
let before: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-destinations-'));
  before = process.cwd();
  process.chdir(folder);
  model = join(folder, 'model');
  mkdirSync('model');
  for (const file of ['model.json', 'gpt.safetensors', 'vq-00001.safetensors', 'notes.txt']) {
    writeFileSync(join(model, file), file);
  }
  writeFileSync('t.json', 'tokens');
  writeFileSync('a.png', 'picture');
  mkdirSync('made');
  mkdirSync('folder.jpg');
  symlinkSync('made', 'link');
  symlinkSync('../t.json', 'made/to-tokens.png');
  linkSync('t.json', 'hard.png');
  symlinkSync('nowhere.json', 'dangling.png');
});
afterEach(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

/** What a check throws, after which the folder is as it was. */
function refusal(destinations: Destinations, pictures: readonly string[] = []): string | undefined {
  const tree = (): string[] => readdirSync(folder, { recursive: true }).map(String).sort();
  const was = tree();
  try {
    checkDestinations(destinations, { model, tokens: 't.json' }, pictures);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError);
    return (error as Error).message;
  } finally {
    expect(tree()).toEqual(was);
  }
}

describe('refused', () => {
  test.each<[string, Destinations, RegExp]>([
    ['the tokens', { out: 't.json' }, /^--out and --tokens are the same file: t\.json/],
    ['the tokens by a longer way', { out: './made/../t.json' }, /--out and --tokens/],
    ['the tokens, the trace', { out: 'b.png', profile: 't.json' }, /--profile and --tokens/],
    ['the tokens through a link', { out: 'link/to-tokens.png' }, /--out and --tokens/],
    ['the tokens by another name', { out: 'hard.png' }, /--out and --tokens/],
    // The parent of a link is that of where it leads.
    ['a way out of a link', { out: 'link/../t.json' }, /--out and --tokens/],
    ['a file of the model', { tokensOut: 'model/model.json' }, /model\.json of --model/],
    ['a shard of the model', { tokensOut: 'model/vq-00001.safetensors' }, /vq-00001.*of --model/],
    ['a file the model would have', { profile: 'model/vq.safetensors' }, /vq\.safetensors of/],
    ['two of one name', { out: 'b.png', tokensOut: './b.png' }, /--tokens-out and --out/],
    ['two, one a link to nothing', { out: 'dangling.png', profile: 'nowhere.json' }, /same file/],
    ['two, in a linked folder', { out: 'made/b.png', profile: 'link/b.png' }, /same file/],
    ['no path for the picture', { out: '' }, /--out expected a path, got an empty one/],
    ['no path for the tokens', { tokensOut: '' }, /--tokens-out expected a path/],
    ['no path for the trace', { profile: '' }, /--profile expected a path/],
    ['no path for the folder', { outDir: '' }, /--out-dir expected a folder/],
    ['a folder as file', { out: 'made' }, /cannot write made: it is a folder/],
    ['a folder with an ending', { out: 'folder.jpg' }, /cannot write folder\.jpg: it is a folder/],
    ['a file with the name of a folder', { out: 'b/' }, /cannot write b\/: it names a folder/],
    ['another kind of picture', { out: 'foo.jpg' }, /only: call it foo\.png/],
    ['another kind, in capitals', { out: 'foo.b.WEBP' }, /call it foo\.b\.png/],
    ['two to standard output', { out: '-', tokensOut: '-' }, /both are standard output/],
    ['standard output that --json has', { out: '-', json: true }, /--json needs/],
    ['tokens beside --json', { tokensOut: '-', json: true }, /--json needs/],
    ['a folder called -', { outDir: '-' }, /--out-dir expected a folder, got -/],
  ])('%s', (_, destinations, message) => {
    expect(refusal(destinations)).toMatch(message);
  });

  test.each<[string, Destinations, RegExp]>([
    ['the model', { outDir: 'model' }, /--out-dir and --model are the same folder/],
    ['tokens over a picture', { outDir: 'made', tokensOut: 'link/0-a.png' }, /--out-dir and --tok/],
    ['tokens over a picture to be', { outDir: 'n', tokensOut: 'n/1-b.png' }, /--out-dir and --tok/],
    ['a file where a folder will be', { outDir: 'n/m', tokensOut: 'n' }, /--out-dir and --tokens/],
    ['a file as folder', { outDir: 'a.png' }, /a\.png is not a folder/],
    ['a folder below a file', { outDir: 'a.png/b' }, /cannot write to a\.png\/b/],
    ['tokens in a folder that no one makes', { outDir: 'n', tokensOut: 'n/m/t' }, /cannot write/],
  ])('with a folder for pictures: %s', (_, destinations, message) => {
    expect(refusal(destinations, ['0-a.png', '1-b.png'])).toMatch(message);
  });

  test('pictures that are links to an input, or folders', () => {
    symlinkSync('../model/gpt.safetensors', 'made/0-a.png');
    expect(refusal({ outDir: 'made' }, ['0-a.png'])).toMatch(/made\/0-a\.png/);
    expect(refusal({ outDir: 'made' }, ['1-b.png'])).toBeUndefined();
    mkdirSync('made/1-b.png');
    expect(refusal({ outDir: 'made' }, ['1-b.png'])).toMatch(/1-b\.png: it is a folder/);
  });

  test('pictures that are links to one file', () => {
    writeFileSync('made/0-a.png', '');
    symlinkSync('0-a.png', 'made/1-b.png');
    expect(refusal({ outDir: 'made' }, ['0-a.png', '1-b.png'])).toMatch(
      /--out-dir and 0-a\.png in --out-dir are the same file/,
    );
  });

  test('links in a circle', () => {
    symlinkSync('y.png', 'x.png');
    symlinkSync('x.png', 'y.png');
    expect(refusal({ out: 'x.png' })).toMatch(/x\.png: its links lead in a circle/);
  });
});

describe('allowed', () => {
  test.each<[string, Destinations]>([
    ['a picture that is there', { out: 'a.png', tokensOut: 'b.json', profile: 'c.json' }],
    ['an ending in capitals', { out: 'A.PNG' }],
    ['no ending', { out: 'picture' }],
    ['a new file in the model folder', { out: 'model/sample.png', tokensOut: 'model/notes.txt' }],
    ['the profile as a table alone', { out: 'a.png', profile: true }],
    ['standard output for one', { out: 'a.png', tokensOut: '-' }],
    ['pictures and tokens in one new folder', { outDir: 'n', tokensOut: 'n/tokens.json' }],
    ['a folder that a link leads to', { outDir: 'link', tokensOut: 'made/tokens.json' }],
  ])('%s', (_, destinations) => {
    expect(refusal(destinations, ['0-a.png'])).toBeUndefined();
  });

  test.runIf(existsSync('/dev/null'))('nothing, more than once', () => {
    const nothing = '/dev/null';
    expect(refusal({ out: nothing, tokensOut: nothing, profile: nothing })).toBeUndefined();
  });
});

test('a file that output was redirected to is taken', () => {
  const descriptor = openSync('log.png', 'w');
  const claims = new Claims();
  claims.keepsOpen('standard output', descriptor);
  closeSync(descriptor);
  expect(() => claims.writes('--out', 'log.png')).toThrow(/--out and standard output are the same/);
  expect(() => claims.writes('--out', 'a.png')).not.toThrow();
});
