/** Where relative paths start, and where models are kept. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { callerFolder } from '../../src/node/caller.ts';
import { modelsFolder } from '../../src/node/data-folder.ts';
import { llamagen } from '../support/llamagen.ts';
import { ROOT } from '../support/sources.ts';

const here = realpathSync(mkdtempSync(join(tmpdir(), 'llamagen-caller-')));
afterAll(() => rmSync(here, { recursive: true }));

const npm = (script: string) => ({
  INIT_CWD: here,
  npm_lifecycle_event: script,
  npm_package_json: join(ROOT, 'package.json'),
});
const MAIN = join(ROOT, 'src/cli/main.ts');
const started = { entry: MAIN, cwd: ROOT, env: npm('llamagen') };

describe('paths start where npm was called', () => {
  test.each([
    ['llamagen', MAIN],
    ['demo', MAIN],
    ['bench:report', join(ROOT, 'bench/page/main.ts')],
    ['golden', join(ROOT, 'test/golden-runner/main.ts')],
  ])('by the script %s', (script, entry) => {
    expect(callerFolder({ entry, cwd: ROOT, env: npm(script) })).toBe(here);
  });
});

describe('paths start in the current folder', () => {
  const other = join(here, 'package.json');
  writeFileSync(other, '{"scripts": {"llamagen": "llamagen src/cli/main.ts"}}');
  test.each<[string, Partial<typeof started>]>([
    ['without npm', { env: {} as never }],
    ['in a script of another package', { env: { ...npm('llamagen'), npm_package_json: other } }],
    ['in another script of this package, such as its tests', { env: npm('test') }],
    ['in a script that is gone', { env: npm('paint') }],
    ['with npx', { env: npm('npx') }],
    ['for another program than the script names', { entry: join(ROOT, 'bench/main.ts') }],
    ['where a program went to another folder', { cwd: here }],
    ['where the folder is gone', { env: { ...npm('llamagen'), INIT_CWD: join(here, 'gone') } }],
  ])('%s', (_, change) => {
    expect(callerFolder({ ...started, ...change })).toBeUndefined();
  });
});

test('a relative --model and --out of npm run are those of the caller', async () => {
  mkdirSync(join(here, 'mine'));
  writeFileSync(join(here, 'mine', 'model.json'), '{"format": "mine"}');
  const args = ['generate', '--model', './mine', '--class', '0', '--out', 'mine/a.png'];
  const byNpm = await llamagen(args, { cwd: ROOT, env: npm('llamagen') });
  expect([byNpm.code, byNpm.stderr]).toEqual([
    1,
    expect.stringMatching(/mine\/model.json: .*"mine"/),
  ]);
  const byOther = await llamagen(args, { cwd: ROOT, env: npm('test') });
  expect([byOther.code, byOther.stderr]).toEqual([2, expect.stringMatching(/\.\/mine: no such/)]);
});

describe("the user's models", () => {
  test.each<[NodeJS.Platform, NodeJS.ProcessEnv, string]>([
    ['linux', { HOME: '/home/ann' }, '/home/ann/.local/share/llamagen-webgpu/models'],
    ['linux', { XDG_DATA_HOME: '/data', HOME: '/h' }, '/data/llamagen-webgpu/models'],
    ['linux', { XDG_DATA_HOME: 'near', HOME: '/h' }, '/h/.local/share/llamagen-webgpu/models'],
    ['linux', {}, join(homedir(), '.local/share/llamagen-webgpu/models')],
    [
      'darwin',
      { HOME: '/Users/ann' },
      '/Users/ann/Library/Application Support/llamagen-webgpu/models',
    ],
    [
      'win32',
      { LOCALAPPDATA: 'C:\\Users\\ann\\AppData\\Local' },
      'C:\\Users\\ann\\AppData\\Local\\llamagen-webgpu\\models',
    ],
    [
      'win32',
      { USERPROFILE: 'C:\\Users\\ann' },
      'C:\\Users\\ann\\AppData\\Local\\llamagen-webgpu\\models',
    ],
  ])('on %s with %j', (platform, env, expected) => {
    expect(modelsFolder({ platform, env })).toBe(expected);
  });
});
