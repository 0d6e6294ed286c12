/**
 * `npm run test:commands [-- --first N | --write]`: a dozen commands give the tokens and pixels that they gave before,
 * bit for bit. Hashes are of one adapter, a software one, whose arithmetic is the same on every x64 machine.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { decode } from 'fast-png';
import { runScript } from '../../scripts/script.ts';
import { llamagen } from '../support/llamagen.ts';
import { COMMANDS, type HashedCommand } from './commands.ts';

interface Hashes {
  readonly tokens: string;
  readonly pixels: string;
}

const FILE = new URL('hashes.json', import.meta.url);

const hash = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest('hex').slice(0, 16);

const nameOf = ({ args, env = {} }: HashedCommand): string =>
  [...Object.entries(env).map(([k, v]) => `${k}=${v}`), `llamagen generate ${args}`].join(' ');

async function hashesOf(folder: string, { args, env = {} }: HashedCommand): Promise<Hashes> {
  const [png, tokens] = [join(folder, 'out.png'), join(folder, 'tokens.json')];
  const outputs = ['--out', png, '--tokens-out', tokens];
  const { code, stderr } = await llamagen(['generate', ...args.split(' '), ...outputs], { env });
  if (code !== 0) throw new Error(`llamagen generate ${args} ended with ${code}:\n${stderr}`);
  const { images } = JSON.parse(readFileSync(tokens, 'utf8')) as {
    readonly images: readonly { readonly tokens: readonly number[] }[];
  };
  return {
    tokens: hash(JSON.stringify(images.map((image) => image.tokens))),
    pixels: hash(Uint8Array.from(decode(readFileSync(png)).data)),
  };
}

async function run(write: boolean, first: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-commands-'));
  const before = write ? {} : (JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, Hashes>);
  const found: Record<string, Hashes> = {};
  let different = 0;
  try {
    for (const command of COMMANDS.slice(0, first)) {
      const name = nameOf(command);
      const hashes = await hashesOf(folder, command);
      found[name] = hashes;
      const was = before[name];
      const isSame = was?.tokens === hashes.tokens && was.pixels === hashes.pixels;
      if (!isSame && !write) different++;
      const mark = write ? 'written ' : isSame ? 'same    ' : 'DIFFERENT';
      console.log(`${mark} ${hashes.tokens} ${hashes.pixels} ${name}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (write) writeFileSync(FILE, `${JSON.stringify(found, null, 2)}\n`);
  return different > 0 ? 1 : 0;
}

const commands = new Command('test:commands')
  .description('Checks that a dozen commands give the tokens and pixels that they gave before.')
  .option('--write', 'write the hashes in place of comparing them', false)
  .option('--first <n>', 'run the first n commands alone', Number, COMMANDS.length);
await runScript(commands, () => {
  const { write, first } = commands.opts<{ write: boolean; first: number }>();
  return run(write, write ? COMMANDS.length : first);
});
