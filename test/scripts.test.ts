/** The scripts of package.json: each prints help when asked to, and does nothing else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ROOT } from './support/sources.ts';

const { scripts }: { scripts: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
);
const SETUP = 'node scripts/setup.mjs && ';

/** Programs with a --help of their own, which end the script's line. */
const PROGRAMS = /^(?:vitest run|tsc -p tsconfig\.build\.json|npm run build --)/;

/** Files that scripts run. */
const entryOf = (script: string): string | undefined =>
  /^tsx (\S+\.ts)\b[^&|;]*$/.exec(script.replace(SETUP, ''))?.[1];

test('nothing runs before what reads --help', () => {
  for (const script of Object.values(scripts)) {
    const rest = script.replace(SETUP, '');
    expect(entryOf(script) ?? PROGRAMS.exec(rest)?.[0], script).toBeDefined();
    expect(rest).not.toMatch(/[&|;]/);
  }
});

describe('--help of', () => {
  const argv = process.argv;
  afterEach(() => {
    process.argv = argv;
    vi.restoreAllMocks();
    vi.resetModules();
  });

  const entries = new Set(Object.values(scripts).flatMap((script) => entryOf(script) ?? []));
  test.each([...entries])('%s', async (entry) => {
    let printed = '';
    const write = (text: unknown): boolean => {
      printed += String(text);
      return true;
    };
    vi.spyOn(process.stdout, 'write').mockImplementation(write);
    vi.spyOn(process.stderr, 'write').mockImplementation(write);
    vi.spyOn(console, 'log').mockImplementation(write);
    vi.spyOn(console, 'error').mockImplementation(write);
    process.argv = ['node', join(ROOT, entry), '--help'];
    await import(join(ROOT, entry));
    vi.restoreAllMocks();
    expect(printed).toMatch(/^Usage: [\s\S]*-h, --help +display help for command\n/);
    expect(process.exitCode ?? 0).toBe(0);
  });
});
