/** docs/command-line.md names options that there are, and every variable that the code reads. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { program } from '../../src/cli/program.ts';
import { ROOT, sourceFiles } from '../support/sources.ts';

const docs = readFileSync(join(ROOT, 'docs', 'command-line.md'), 'utf8');

const namesIn = (text: string, pattern: RegExp): string[] =>
  [...new Set([...text.matchAll(pattern)].map(([name]) => name))].sort();

test('options that it names are those of the commands', () => {
  const streams = { stdout: process.stdout, stderr: process.stderr };
  const { commands } = program(new AbortController().signal, streams);
  const known = commands.flatMap(({ options }) => options.map(({ long }) => long));
  const named = namesIn(docs, /(?<![\w-])--[a-z][a-z0-9-]+/g).filter((name) => name !== '--help');
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
  expect(named.length).toBeGreaterThan(20);
});

test('variables are those that the code reads', () => {
  const read = sourceFiles('src').flatMap(({ text }) => namesIn(text, /\bLLAMAGEN_[A-Z]+\b/g));
  const table = docs.slice(docs.indexOf('## Variables'));
  expect(namesIn(table, /\bLLAMAGEN_[A-Z]+\b/g)).toEqual([...new Set(read)].sort());
});
