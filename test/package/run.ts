/**
 * Checks the packed package as those who install it meet it: what is in the tarball, `publint` and
 * `@arethetypeswrong/cli`, its command and the README's snippets in Node, the snippets in pages bundled
 * by Vite and esbuild, and how large it is there. Installs the package, so it is a step of the gate
 * and not of `npm test`.
 *
 *   npm run test:package [-- llamagen-webgpu-1.0.0.tgz]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { Command } from 'commander';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { runScript } from '../../scripts/script.ts';
import { installIn, lend, pack } from '../support/npm.ts';
import { ROOT } from '../support/sources.ts';
import { hasChromium } from '../web/chromium.ts';
import { browserProblems } from './in-browser.ts';
import { absenceProblems, nodeProblems } from './in-node.ts';
import { sizeProblems } from './sizes.ts';
import { contentProblems, readTarball } from './tarball.ts';

/** What Node needs beside the package: optional, and large. */
const PEERS = ['webgpu', '@sparticuz/chromium'];

/** @returns The exit code. */
async function check(given: string | undefined): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-package-'));
  try {
    const tarball = given === undefined ? pack(folder) : resolve(given);
    const project = mkdtempSync(join(folder, 'project-'));
    const checks: Readonly<Record<string, () => string[] | Promise<string[]>>> = {
      'what is in it': () => contentProblems(readTarball(tarball), statSync(tarball).size),
      publint: () => publintProblems(tarball),
      'are the types wrong': () => attwProblems(tarball),
      'without optional packages': () => {
        installIn(project, tarball);
        return absenceProblems(project);
      },
      sizes: () => sizeProblems(project),
      'in Node': () => {
        for (const peer of PEERS) lend(project, peer);
        return nodeProblems(project);
      },
      ...(hasChromium && { 'in Chromium': () => browserProblems(project) }),
    };
    let failed = 0;
    for (const [name, problemsOf] of Object.entries(checks)) {
      const started = performance.now();
      const problems = await problemsOf();
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`${name}: ${problems.length > 0 ? 'failed' : 'passed'} (${seconds} s)`);
      for (const problem of problems.slice(0, 20)) console.log(`  ${problem}`);
      if (problems.length > 0) failed++;
    }
    const count = Object.keys(checks).length;
    console.log(`${basename(tarball)}: ${count - failed} passed, ${failed} failed`);
    return failed > 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function publintProblems(tarball: string): Promise<string[]> {
  const bytes = readFileSync(tarball);
  const data = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { messages, pkg = {} } = await publint({ pack: { tarball: data }, strict: true });
  return messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code);
}

function attwProblems(tarball: string): string[] {
  const attw = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js');
  const args = [attw, tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-color'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return status === 0 ? [] : `${stdout}${stderr}`.trim().split('\n');
}

const packageTest = new Command('test:package')
  .description('Checks the packed package as those who install it meet it.')
  .argument('[package]', 'what npm pack made (default: it is made first)');
await runScript(packageTest, () => check(packageTest.args[0]));
