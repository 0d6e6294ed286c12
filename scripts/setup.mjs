// Installs the packages of the lock file when they are absent or older than it. Plain JavaScript
// that any Node reads: it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED = [20, 19];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lock = join(root, 'package-lock.json');
// npm writes this file at the end of an install.
const installed = join(root, 'node_modules', '.package-lock.json');

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  fail(`Node ${NEEDED.join('.')} or newer is needed, and this is ${process.versions.node}`);
}
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) install();

function install() {
  // To stderr, so that the output of what runs next stays clean.
  console.error('setup: installing packages (npm ci)');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const { error, status } = spawnSync(npm ? process.execPath : 'npm', npm ? [npm, ...args] : args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: !npm && process.platform === 'win32',
  });
  if (error) fail(`npm does not run: ${error.message}`);
  if (status !== 0) fail('npm ci failed; its output is above', status ?? 1);
}

function fail(message, code = 1) {
  console.error(`setup: ${message}`);
  process.exit(code);
}
