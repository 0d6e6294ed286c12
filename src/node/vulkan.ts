/** The Vulkan loader of this process, and which drivers it sees. Linux only. */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { DeviceError } from '../errors.ts';
import type { Environment } from './environment.ts';

const RTLD_NOW = 2;
const RTLD_GLOBAL = 0x100;
const RTLD_NODELETE = 0x1000;

const DRIVER_VARIABLES = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const;

/** How Node, Bun and Deno complain that a library is not an addon, after it was loaded to stay. */
const NO_ADDON = /self-register|napi_register_module|register Node-API module/;

/**
 * Loads a Vulkan loader for good, so that Dawn's own request for `libvulkan.so.1` finds it.
 * @param path A file, or a bare name to search for where the system keeps its libraries.
 * @returns Whether it is there.
 * @throws DeviceError (`no-adapter`) when the file at a path cannot be loaded.
 */
export function loadVulkan(path: string): boolean {
  try {
    process.dlopen({ exports: {} }, path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (NO_ADDON.test(message)) return true;
    if (!path.includes('/')) return false;
    throw new DeviceError('no-adapter', `the Vulkan loader cannot be loaded: ${message}`);
  }
  return true;
}

/** Names of the driver files (`*.json`) that a Vulkan loader would find by itself. */
export function systemDrivers(env: Environment = process.env): string[] {
  const given = DRIVER_VARIABLES.map((name) => env[name]).find((value) => value);
  if (given) return given.split(':');
  const data = env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local', 'share');
  const shared = (env.XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(':');
  const config = (env.XDG_CONFIG_DIRS || '/etc/xdg').split(':');
  const found = [...config, '/etc', data, ...shared].flatMap((folder) => {
    try {
      return readdirSync(join(folder, 'vulkan', 'icd.d')).filter((file) => file.endsWith('.json'));
    } catch {
      return [];
    }
  });
  return [...new Set(found)];
}

/** Whether the kernel shows a GPU, whatever drivers there are. */
export function hasGpu(): boolean {
  if (process.platform !== 'linux') return false;
  if (existsSync('/dev/nvidia0')) return true;
  return (
    existsSync('/dev/dri') && readdirSync('/dev/dri').some((name) => name.startsWith('render'))
  );
}

/**
 * Runs `work` while a Vulkan loader sees one driver only. The loader reads the variables each time
 * an instance is made, so `work` must make it before it returns.
 */
export function withDriver<T>(icd: string, work: () => T): T {
  const before = DRIVER_VARIABLES.map((name) => [name, process.env[name]] as const);
  for (const name of DRIVER_VARIABLES) process.env[name] = icd;
  try {
    return work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
