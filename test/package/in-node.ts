/** The installed package in Node: its command, and what the README says to write. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { snippet } from '../support/examples.ts';

interface Ran {
  readonly status: number | null;
  readonly stderr: string;
}

/** Runs a file of a project on the adapter that is everywhere. */
function run(project: string, file: string, ...args: readonly string[]): Ran {
  const { status, stderr } = spawnSync(process.execPath, [join(project, file), ...args], {
    cwd: project,
    encoding: 'utf8',
    env: { ...process.env, LLAMAGEN_ADAPTER: 'swiftshader' },
  });
  return { status, stderr };
}

const COMMAND = 'node_modules/.bin/llamagen';

/** Without the packages that are optional, a command says which one it lacks, and how to get it. */
export function absenceProblems(project: string): string[] {
  const help = run(project, COMMAND, '--help');
  const missing = Object.entries(NEEDS).map(([command, names]) => {
    const { status, stderr } = run(project, COMMAND, ...command.split(' '));
    const isSaid = status !== 0 && stderr.includes(`npm install ${names}`);
    return isSaid ? [] : [`llamagen ${command} does not say "npm install ${names}": ${stderr}`];
  });
  return [...(help.status === 0 ? [] : [`llamagen --help: ${help.stderr}`]), ...missing.flat()];
}

/** What commands need that is not installed with the package. */
const NEEDS: Readonly<Record<string, string>> = {
  'generate --class Lemon --out lemon.png': 'webgpu',
  'serve --port 0': 'fastify',
  'worker --queue redis://127.0.0.1:1': 'bullmq',
};

/** The first picture that the README's program writes, and its class and seed. */
export const PICTURE = { file: 'image-1.png', of: ['Orange', 1] } as const;

export function nodeProblems(project: string): string[] {
  const out = ['--seed', '1', '--out', 'lemon.png'];
  const draw = run(project, COMMAND, 'generate', '--class', 'Lemon', ...out);
  const { code } = transformSync(snippet('generate'), { loader: 'ts' });
  writeFileSync(join(project, 'generate.js'), code);
  const { status, stderr } = run(project, 'generate.js');
  return [
    ...(draw.status === 0 ? [] : [`llamagen generate: ${draw.stderr}`]),
    ...(status === 0 && stderr === '' ? [] : [`the README's program: ${stderr}`]),
    ...['lemon.png', PICTURE.file, 'image-2.png']
      .filter((file) => !existsSync(join(project, file)))
      .map((file) => `no ${file} was written`),
  ];
}
