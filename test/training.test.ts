/** The commands of weights/README.md: what they write is ignored by git. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from './support/sources.ts';

const git = (...args: readonly string[]) => spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });

const ignored = (path: string): boolean => git('check-ignore', '-q', path).status === 0;

const train = join(ROOT, 'weights', 'train');
const readme = readFileSync(join(ROOT, 'weights', 'README.md'), 'utf8');
/** Lines of code blocks, which are the odd parts. */
const commands = readme
  .split('```')
  .filter((_, part) => part % 2 === 1)
  .flatMap((block) => block.split('\n'))
  .filter((line) => /^(python3|npm run) /.test(line));

/** Folders of `common.py` that commands write to where nothing else is said. */
const defaults = [
  ...readFileSync(join(train, 'common.py'), 'utf8').matchAll(/^(?:RUNS|DATA) = HERE \/ "(.+)"$/gm),
].map(([, name]) => `weights/train/${name}`);

const given = commands.flatMap((line) =>
  [...line.matchAll(/--(?:out|run) (\S+)/g)].map(([, path = '']) => path),
);

describe.skipIf(!existsSync(join(ROOT, '.git')))('training', () => {
  test('has commands that write, and says where', () => {
    expect(commands.length).toBeGreaterThan(15);
    expect(defaults).toEqual(['weights/train/runs', 'weights/train/data']);
    expect(given).toContain('models/first-try');
    const must = commands.filter((line) => /(export|golden)\.py|generate/.test(line));
    expect(must.filter((line) => !line.includes('--out '))).toEqual([]);
  });

  test.each([...new Set([...defaults, ...given])])('writes to %s, which git ignores', (path) => {
    expect(ignored(path) || ignored(`${path}/any`)).toBe(true);
    expect(git('ls-files', '--', path).stdout).toBe('');
  });

  test('of the shipped model left its records', () => {
    const records = readdirSync(join(train, 'records'));
    expect(records).toEqual(expect.arrayContaining(['features', 'gpt', 'vq', 'vq-start']));
  });
});
