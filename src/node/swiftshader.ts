/** The software Vulkan driver of the npm package `@sparticuz/chromium`, unpacked once into a cache. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { parseTar } from 'nanotar';
import { DeviceError } from '../errors.ts';
import type { Environment } from './environment.ts';

const PACKAGE = '@sparticuz/chromium';
const LOADER = 'libvulkan.so.1';
const ICD = 'vk_swiftshader_icd.json';
const DRIVER = 'libvk_swiftshader.so';
const FILES = [LOADER, ICD, DRIVER];

/** Paths of the unpacked driver. */
export interface Swiftshader {
  /** A Vulkan loader (`libvulkan.so.1`) for systems that have none. */
  readonly loader: string;
  /** The file that names the driver to a Vulkan loader (`VK_DRIVER_FILES`). */
  readonly icd: string;
}

/**
 * Unpacks the driver into the user's cache, or into the folder for temporary files when the cache
 * cannot be written. Processes that do so at the same time do not disturb each other.
 * @throws DeviceError (`no-adapter`) when the platform has none, the package is not installed or no
 *   folder can be written.
 */
export function unpackSwiftshader(env: Environment = process.env): Swiftshader {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw missing(
      `SwiftShader ships for linux-x64 only, and this is ${process.platform}-${process.arch}`,
    );
  }
  const archive = findArchive();
  const failures: string[] = [];
  for (const home of cacheFolders(env)) {
    const folder = join(home, archive.version);
    try {
      if (!isComplete(folder)) unpack(archive.path, folder);
      return { loader: join(folder, LOADER), icd: join(folder, ICD) };
    } catch (error) {
      failures.push(`${folder}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw missing(`SwiftShader cannot be unpacked; set XDG_CACHE_HOME to a folder that can be written
  ${failures.join('\n  ')}`);
}

function missing(message: string): DeviceError {
  return new DeviceError('no-adapter', message);
}

function findArchive(): { path: string; version: string } {
  let folder: string;
  try {
    folder = dirname(createRequire(import.meta.url).resolve(PACKAGE));
  } catch (cause) {
    throw new DeviceError(
      'no-adapter',
      `the software adapter needs the npm package "${PACKAGE}": run "npm install ${PACKAGE}"`,
      { cause },
    );
  }
  // The package exports only its entry point, which lies some folders below its root.
  for (; folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, 'bin', 'swiftshader.tar.br');
    if (!existsSync(path)) continue;
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return { path, version: `swiftshader-${version}` };
  }
  throw missing(`the npm package "${PACKAGE}" has no bin/swiftshader.tar.br: reinstall it`);
}

function cacheFolders(env: Environment): string[] {
  // Others can write to the folder for temporary files, so the name holds the user and the owner
  // is checked before anything in it is loaded as code.
  const shared = join(tmpdir(), `llamagen-webgpu-${process.getuid?.()}`);
  const cache = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return [join(cache, 'llamagen-webgpu'), shared];
}

function isComplete(folder: string): boolean {
  if (!existsSync(folder)) return false;
  checkOwner(folder);
  return FILES.every((file) => existsSync(join(folder, file)));
}

function checkOwner(folder: string): void {
  if (statSync(folder).uid !== process.getuid?.()) throw new Error('belongs to another user');
}

function unpack(archive: string, folder: string): void {
  const home = dirname(folder);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  checkOwner(home);
  const staging = mkdtempSync(`${folder}.`);
  try {
    for (const { name, data } of parseTar(brotliDecompressSync(readFileSync(archive)))) {
      const file = basename(name);
      if (data && FILES.includes(file)) writeFileSync(join(staging, file), data, { mode: 0o755 });
    }
    if (!isComplete(staging)) throw new Error(`${archive} lacks one of ${FILES.join(', ')}`);
    if (existsSync(folder) && !isComplete(folder)) rmSync(folder, { recursive: true });
    renameSync(staging, folder);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    // Another process may have put the same files there first.
    if (!isComplete(folder)) throw error;
  }
}
