/** What a run says and exits with when it cannot do what was asked. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { afterAll, describe, expect, test } from 'vitest';
import { failureOf } from '../../src/cli/failure.ts';
import { DeviceError, DownloadError, OptionError, WeightsError } from '../../src/errors.ts';
import { commandLine } from '../support/command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'llamagen-failures-'));
mkdirSync(join(folder, 'empty'));
writeFileSync(join(folder, 'gpt.pt'), '');
writeFileSync(join(folder, 'model.json'), '{}');
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const lemon = (...more: readonly string[]): string[] => [
  ...['generate', '--class', 'Lemon', '--out', at('a.png')],
  ...more,
];

describe('a setting out of its range is named as on the command line', () => {
  test.each([
    ['--top-p', '1.5', 'a number from 0 to 1'],
    ['--cfg-scale', '-1', 'a number from 0 to 1000'],
    ['--temperature', '-0.5', 'a number from 0 to 1000'],
    ['--top-k', '4294967296', 'an integer from 0 to 2147483647'],
    ['--cfg-interval', '4294967296', 'an integer from -1 to 2147483647'],
    ['--seed', '9007199254740991', 'an integer from 0 to 9007199254740990'],
  ])('%s %s', async (flag, value, expected) => {
    const { code, stderr } = await commandLine(...lemon('--count', '2', flag, value));
    expect([code, stderr]).toEqual([2, `llamagen: ${flag} expected ${expected}, got ${value}\n`]);
  });
});

describe('a missing model is wrong usage', () => {
  const missing: readonly (readonly [string, () => string, RegExp])[] = [
    ['a name', () => 'zebra', /no folder and no model "zebra"/],
    ['an official name', () => 'c2i-3B-384', /run "llamagen pull c2i-3B-384"/],
    ['a path', () => './none', /\.\/none: no such folder/],
    ['an absolute path', () => at('none/x'), /none\/x: no such folder/],
    ['a folder without model.json', () => at('empty'), /empty: has no model.json; a model folder/],
    ['a checkpoint', () => at('gpt.pt'), /gpt.pt is a file: "llamagen convert" makes/],
    ['model.json itself', () => at('model.json'), /model.json is a file: give its folder/],
    ['nothing', () => '', /--model: expected a folder or a name, got an empty one/],
  ];
  test.each(missing)('%s', async (_, model, message) => {
    const commands = [['info'], ['tune'], lemon(), ['decode', '--tokens', 'x', '--out', 'y.png']];
    for (const command of commands) {
      const { code, stdout, stderr } = await commandLine(...command, '--model', model());
      expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(message)]);
    }
  });
});

describe('--json', () => {
  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['a setting', lemon('--top-p', '2'), /^--top-p expected a number/],
    ['an option that commander refuses', lemon('--count', '0'), /--count.*from 1 to 4096/],
    ['an unknown option', lemon('--cuont', '1'), /unknown option '--cuont'/],
    ['an unknown command', ['paint'], /unknown command 'paint'/],
    ['no class', ['generate'], /what is to be drawn\? give --class NAMES/],
    ['a missing model', ['info', '--model', 'zebra'], /no model "zebra"/],
    ['no name to pull', ['pull'], /which model/],
  ];
  test.each(wrong)('of %s prints one object with the error', async (_, args, message) => {
    const { code, stdout, stderr } = await commandLine(...args, '--json');
    expect(code).toBe(2);
    expect(stdout.split('\n')).toHaveLength(2);
    const { error, ...rest } = JSON.parse(stdout);
    expect(error).toEqual({
      type: 'OptionError',
      message: expect.stringMatching(message),
      exitCode: 2,
    });
    expect(rest).toEqual({});
    expect(stderr).toContain(error.message);
    // Without it, standard output stays empty.
    expect((await commandLine(...args)).stdout).toBe('');
  });

  test('of a run that fails keeps its exit code', async () => {
    const broken = at('broken');
    mkdirSync(broken);
    writeFileSync(join(broken, 'model.json'), '{}');
    const { code, stdout } = await commandLine(...lemon('--json', '--model', broken));
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      {
        error: {
          type: 'WeightsError',
          message: expect.stringContaining('model.json'),
          exitCode: 1,
        },
      },
    ]);
  });

  test('of help and version prints them, and no error', async () => {
    const help = await commandLine('generate', '--json', '--help');
    expect([help.code, help.stdout]).toEqual([
      0,
      expect.stringMatching(/^Usage: llamagen generate/),
    ]);
    expect((await commandLine('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

test('every error has its name, problem and exit code', () => {
  const of = (error: unknown) => failureOf(error, new Map([['topK', '--top-k']]));
  expect(of(new OptionError('"topK" is bad'))).toMatchObject({ message: '--top-k is bad' });
  expect(of(new OptionError('"batch" is bad'))).toMatchObject({ message: '"batch" is bad' });
  const advice = ['"dtype" expected f32', 'dtype "bf16" would halve it'];
  expect(advice.map((text) => of(new WeightsError(text))?.message)).toEqual([
    ...['--dtype expected f32', '--dtype bf16 would halve it'],
  ]);
  expect(of(new WeightsError('"topK" is bad'))).toEqual({
    ...{ type: 'WeightsError', message: '"topK" is bad', exitCode: 1 },
  });
  expect(of(new DeviceError('lost', 'gone'))).toMatchObject({ problem: 'lost', exitCode: 1 });
  expect(of(new DownloadError('offline', 'x'))).toMatchObject({ problem: 'offline', exitCode: 1 });
  expect(of('text')).toEqual({ type: 'Error', message: 'text', exitCode: 1 });
  const none = new CommanderError(1, 'commander.help', '(outputHelp)');
  expect(of(none)).toMatchObject({ type: 'OptionError', message: 'expected a command' });
});
