/** `--profile`: the table, the trace file, and what is refused. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkDestinations } from '../../src/cli/destinations.ts';
import { type ProfileOption, programLines } from '../../src/cli/profile.ts';
import { OptionError } from '../../src/errors.ts';
import { llamagen } from '../support/llamagen.ts';

/** One run on a software adapter that shares its processor with other tests. */
const RUN_MS = 120_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-profile-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('the table gives shares of the time and of the floor', () => {
  const kernel = { dispatches: 2, bytes: 1e6, operations: 0 };
  const kernels = [
    { ...kernel, label: 'slow', us: 3000 },
    { ...kernel, label: 'fast', us: 1000, operations: 4e6 },
  ];
  const limits = { bytesPerSecond: 1e9, operationsPerSecond: 8e9 };
  expect(programLines({ name: 'step', runs: 2, kernels }, limits)).toEqual([
    'profile  step: mean of 2 runs, each dispatch in a pass of its own',
    'kernel  dispatches      us    share    MB  Mop  of floor',
    'slow             2  3000.0   75.0 %  1.00    -    33.3 %',
    'fast             2  1000.0   25.0 %  1.00  4.0   100.0 %',
    'all              4  4000.0  100.0 %  2.00  4.0    50.0 %',
  ]);
});

test('a trace where the picture goes is refused', () => {
  const [out, model] = [join(folder, 'a.png'), folder];
  const check = (profile: ProfileOption) => () => checkDestinations({ out, profile }, { model });
  expect(check(join(folder, 'b', '..', 'a.png'))).toThrow(OptionError);
  expect(check(join(folder, 'missing', 'trace.json'))).toThrow(/cannot write/);
  expect(check(true)).not.toThrow();
});

describe('llamagen', () => {
  test('generate and decode print it and write a trace', { timeout: RUN_MS }, async () => {
    const at = (name: string) => join(folder, name);
    const made = [
      '--out',
      at('a.png'),
      '--tokens-out',
      at('a.json'),
      '--profile',
      at('trace.json'),
    ];
    const run = await llamagen(['generate', '--class', 'Lemon', '--seed', '1', ...made, '--json']);
    expect(run.code).toBe(0);
    expect(run.stderr).toMatch(/profile {2}token step: mean of 4 runs/);
    expect(run.stderr).toMatch(/the device waited/);
    const { profile } = JSON.parse(run.stdout);
    expect(profile.programs.map(({ name }: { name: string }) => name)).toEqual([
      'token step',
      'image decode',
    ]);
    const { traceEvents } = JSON.parse(readFileSync(at('trace.json'), 'utf8'));
    const names = new Set(traceEvents.map(({ name }: { name: string }) => name));
    for (const name of ['load', 'compile', 'encode', 'wait', 'decode', 'readback']) {
      expect(names).toContain(name);
    }
    const again = ['decode', '--tokens', at('a.json'), '--out', at('b.png'), '--profile'];
    const decoded = await llamagen(again);
    expect([decoded.code, decoded.stderr]).toEqual([0, expect.any(String)]);
    expect(decoded.stdout).toMatch(/profile {2}image decode: one run/);
    expect(decoded.stdout).toMatch(/limits {3}memory [\d.]+ [GT]B\/s/);
  });
});
