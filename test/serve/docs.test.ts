/** docs/serving.md says what there is, and nothing else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { program } from '../../src/cli/program.ts';
import { NO_LOAD } from '../../src/serve/load.ts';
import { createMetrics } from '../../src/serve/metrics.ts';
import { GENERATION_BODY } from '../../src/serve/request-schema.ts';
import { DEFAULT_LIMITS } from '../../src/serve/server-options.ts';
import { ROOT } from '../support/sources.ts';

const docs = readFileSync(join(ROOT, 'docs', 'serving.md'), 'utf8');

/** All matches of the first group, each once. */
const namesIn = (text: string, pattern: RegExp): string[] =>
  [...new Set([...text.matchAll(pattern)].map(([, name]) => name ?? ''))].sort();

test('every metric is in its table, and no other', async () => {
  const metrics = createMetrics(() => NO_LOAD);
  const there = namesIn(await metrics.text(), /^# TYPE (llamagen_\w+) /gm);
  const table = docs.slice(docs.indexOf('## Metrics'), docs.indexOf('Rates are made'));
  expect(namesIn(table, /`(llamagen_\w+)/g)).toEqual(there);
});

test('every field of a request is in its table', () => {
  const fields = Object.keys(GENERATION_BODY.properties as object);
  const table = docs.slice(docs.indexOf('| field |'), docs.indexOf('The answer has'));
  expect(fields.filter((field) => !table.includes(`\`${field}\``))).toEqual([]);
});

describe('options', () => {
  const { signal } = new AbortController();
  const commands = program(signal, { stdout: process.stdout, stderr: process.stderr }).commands;
  const optionsOf = (name: string): readonly string[] =>
    commands.find((command) => command.name() === name)?.options.map(({ long }) => long ?? '') ??
    [];

  test('that are named are those of the commands', () => {
    const known = new Set([...optionsOf('serve'), ...optionsOf('worker')]);
    const others = new Set(['--gpus', '--stop-timeout', '--rm', '--global']); // of docker and npm
    const named = namesIn(docs, /(?<![\w-])(--[a-z][a-z-]+)/g).filter((name) => !others.has(name));
    expect(named.filter((name) => !known.has(name))).toEqual([]);
    expect(named.length).toBeGreaterThan(15);
  });

  test('of services and containers are those of the commands', () => {
    for (const file of ['Dockerfile', 'llamagen.service', 'llamagen-worker.service']) {
      const text = readFileSync(join(ROOT, 'examples', 'serving', file), 'utf8');
      const [line = '', name = ''] =
        /^(?:CMD|ExecStart=).*?\b(serve|worker)\b.*$/m.exec(text) ?? [];
      const known = optionsOf(name);
      expect(known.length, file).toBeGreaterThan(0);
      for (const option of namesIn(line, /(--[a-z-]+)/g)) expect(known, file).toContain(option);
    }
  });
});

test('limits are those of a server that is told none', () => {
  const { waiting, requestsAMinute, connections, requestMs } = DEFAULT_LIMITS;
  const table = docs.slice(docs.indexOf('## Limits'), docs.indexOf('## Metrics'));
  expect(table).toMatch(new RegExp(`images that wait \\| ${waiting} `));
  expect(table).toMatch(new RegExp(`client a minute \\| ${requestsAMinute} `));
  expect(table).toMatch(new RegExp(`connections \\| ${connections} `));
  expect(table).toMatch(new RegExp(`time of a request \\| ${requestMs / 1000} s`));
});
