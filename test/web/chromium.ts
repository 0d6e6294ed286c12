/** Headless Chromium with WebGPU from npm packages alone: no system browser, library or GPU. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import packed, { inflate } from '@sparticuz/chromium';
import { type Browser, chromium, type LaunchOptions } from 'playwright-core';
import { ROOT } from '../support/sources.ts';

/** Whether the browser of the package runs here. */
export const hasChromium: boolean = process.platform === 'linux' && process.arch === 'x64';

const FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--disable-vulkan-surface',
];

const FONTS_CONF = 'fonts.conf';

/** The package's own file names folders of AWS; Chromium aborts when it finds no font at all. */
const FONTS = '<fontconfig><dir prefix="relative">fonts</dir></fontconfig>';

/** Close it when done. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch(await chromiumOptions());
}

/** How it is launched. */
export async function chromiumOptions(): Promise<LaunchOptions> {
  const folder = await unpack();
  return {
    executablePath: join(folder, 'chromium'),
    args: FLAGS,
    env: {
      ...process.env,
      LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'),
      FONTCONFIG_FILE: join(folder, FONTS_CONF),
    },
  };
}

/** Unpacks once, whole or not at all, beside the package: `npm ci` clears what is outdated. */
async function unpack(): Promise<string> {
  // As a global setup of vitest can: it has no import.meta.resolve.
  const { resolve } = createRequire(import.meta.url);
  const root = join(dirname(resolve('@sparticuz/chromium')), '../..');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const cache = join(ROOT, 'node_modules', '.cache', 'llamagen-webgpu');
  const folder = join(cache, `chromium-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const staging = mkdtempSync(`${folder}.`);
  const before = process.env.TMPDIR;
  try {
    process.env.TMPDIR = staging; // the package unpacks to os.tmpdir() and trusts what lies there
    await packed.executablePath(join(root, 'bin'));
    await inflate(join(root, 'bin', 'al2023.tar.br'));
    writeFileSync(join(staging, FONTS_CONF), FONTS);
    renameSync(staging, folder);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // another process may have been first
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
  return folder;
}
