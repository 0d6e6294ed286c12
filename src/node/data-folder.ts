/** Where models are kept for their user, whatever folder a command runs in. */
import { homedir } from 'node:os';
import { isAbsolute, posix, win32 } from 'node:path';
import type { Environment } from './environment.ts';

/** Of this process, unless a test says otherwise. */
export interface Surroundings {
  readonly env?: Environment | undefined;
  readonly platform?: NodeJS.Platform | undefined;
}

/**
 * `llamagen-webgpu/models` in the user's data folder: `$XDG_DATA_HOME` where it is set, else
 * `~/.local/share`, `~/Library/Application Support` on macOS, `%LOCALAPPDATA%` on Windows.
 */
export function modelsFolder({
  env = process.env,
  platform = process.platform,
}: Surroundings = {}): string {
  const { join } = platform === 'win32' ? win32 : posix;
  return join(dataFolder(env, platform), 'llamagen-webgpu', 'models');
}

function dataFolder(env: Environment, platform: NodeJS.Platform): string {
  // A relative path would depend on the current folder; the standard says to ignore it.
  if (env.XDG_DATA_HOME && isAbsolute(env.XDG_DATA_HOME)) return env.XDG_DATA_HOME;
  if (platform === 'win32') {
    const home = env.USERPROFILE || homedir();
    return env.LOCALAPPDATA || win32.join(home, 'AppData', 'Local');
  }
  const home = env.HOME || homedir();
  const place = platform === 'darwin' ? ['Library', 'Application Support'] : ['.local', 'share'];
  return posix.join(home, ...place);
}
