/** What `--model` may be. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  findModels,
  newModelFolder,
  quoted,
  resolveModel,
  shortName,
} from '../../src/cli/models.ts';
import { OptionError } from '../../src/errors.ts';
import { defaultModelFolder } from '../../src/node/files.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'llamagen-models-')));
  vi.spyOn(process, 'cwd').mockReturnValue(folder);
  vi.stubEnv('XDG_DATA_HOME', join(folder, 'data'));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function model(...path: string[]): string {
  const made = join(folder, ...path);
  mkdirSync(made, { recursive: true });
  writeFileSync(join(made, 'model.json'), '{}');
  return made;
}

test('a folder with a model is taken as it is', () => {
  const made = model('anywhere', 'mine');
  expect(resolveModel(made)).toBe(made);
});

test('a name is one under models/, of the user, or of this package', () => {
  const here = model('models', 'c2i-B-256');
  const users = model('data', 'llamagen-webgpu', 'models', 'other');
  expect(resolveModel('c2i-B-256')).toBe(here);
  expect(resolveModel('c2i_B_256')).toBe(here);
  expect(resolveModel('other')).toBe(users);
  expect(resolveModel('fruits-96')).toBe(defaultModelFolder());
  expect(findModels()).toEqual(expect.arrayContaining([here, users, defaultModelFolder()]));
});

test('the model of this folder comes before another of its name', () => {
  model('data', 'llamagen-webgpu', 'models', 'fruits-96');
  const here = model('weights', 'fruits-96');
  expect(resolveModel('fruits-96')).toBe(here);
});

test("the user's models are found without looking where one stands, before those of the package", () => {
  const users = model('data', 'llamagen-webgpu', 'models', 'fruits-96');
  expect(newModelFolder('fruits-96')).toBe(users);
  expect(resolveModel('fruits-96')).toBe(users);
  expect(shortName(users)).toBe('fruits-96');
  const here = model('models', 'fruits-96');
  // The name means another now.
  expect(shortName(users)).toBe(users);
  expect(resolveModel('fruits-96')).toBe(here);
});

test('a folder that is not read is no reason to fail', () => {
  mkdirSync(join(folder, 'data', 'llamagen-webgpu'), { recursive: true });
  writeFileSync(join(folder, 'data', 'llamagen-webgpu', 'models'), '');
  expect(findModels()).toContain(defaultModelFolder());
});

test.each(['', '.', '..', 'a/b', 'a\\b', ' a', 'a ', 'a:b', 'a\0', 'nul\n', 'what?', 'a.'])(
  'a new model cannot be called "%s"',
  (name) => {
    expect(() => newModelFolder(name)).toThrow(OptionError);
  },
);

test('what is printed can be pasted into a shell', () => {
  expect(quoted('plain-name_1.0')).toBe('plain-name_1.0');
  expect(quoted("it's a model")).toBe(`'it'\\''s a model'`);
  expect(quoted('$HOME')).toBe("'$HOME'");
});

test.each([
  ['c2i-L-384', /c2i-L-384 is not here: run "llamagen pull c2i-L-384" first/],
  ['c2i_l_384.pt', /run "llamagen pull c2i-L-384" first/],
  ['fruits-69', /no model "fruits-69": did you mean fruits-96\?/],
  ['c2i-L-348', /did you mean c2i-L-384\b/],
  ['zebra', /here are fruits-96.*; "llamagen pull --list"/],
])('"%s" is refused', (name, message) => {
  expect(() => resolveModel(name)).toThrow(OptionError);
  expect(() => resolveModel(name)).toThrow(message);
});
