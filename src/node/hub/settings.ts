/** What the environment says about the hub: the variables of the official client, and ours. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { OptionError } from '../../errors.ts';
import type { Environment } from '../environment.ts';

/** Where files come from and where they are kept. */
export interface HubSettings {
  /** `HF_ENDPOINT`, without a slash at the end. */
  readonly endpoint: string;
  /** `HF_TOKEN`: sent to the endpoint and to no other host. */
  readonly token?: string;
  /** `HF_HUB_OFFLINE`: use what is in the cache, ask nobody. */
  readonly offline: boolean;
  /** `LLAMAGEN_CACHE`, else a folder in that of `HF_HOME` or the user's caches. */
  readonly cache: string;
  /** The proxies of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in upper or lower case. */
  readonly proxies: {
    readonly httpProxy: string;
    readonly httpsProxy: string;
    readonly noProxy: string;
  };
}

/** Waits and limits of a download. Tests make them short. */
export interface HubTiming {
  /** Tries that may fail one after the other without a byte gained. */
  readonly retries: number;
  /** Wait before the second try; it doubles with each one. */
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  /** Longest silence of a server before the try counts as failed. */
  readonly silenceMs: number;
  /** Longest wait that a server may ask for (`Retry-After`). */
  readonly longestRetryAfterMs: number;
  /** Between two looks at whether another process is done with the file. */
  readonly lockPollMs: number;
}

export const DEFAULT_TIMING: HubTiming = {
  retries: 5,
  firstWaitMs: 1000,
  longestWaitMs: 30_000,
  silenceMs: 30_000,
  longestRetryAfterMs: 600_000,
  lockPollMs: 500,
};

const HUB = 'https://huggingface.co';

/** Values that switch a variable on, as the official client reads them. */
const ON: ReadonlySet<string> = new Set(['1', 'ON', 'YES', 'TRUE']);

/**
 * Reads the settings.
 * @throws OptionError when `HF_ENDPOINT` is no address or `HF_TOKEN` can be no token.
 */
export function hubSettings(env: Environment): HubSettings {
  const token = env.HF_TOKEN?.trim();
  if (token && !/^[\x21-\x7e]+$/.test(token)) {
    throw new OptionError('HF_TOKEN expected one word of plain letters and signs: copy it again');
  }
  const either = (name: string): string => env[name.toLowerCase()] || env[name] || '';
  return {
    endpoint: readEndpoint(env.HF_ENDPOINT),
    ...(token && { token }),
    offline: ON.has((env.HF_HUB_OFFLINE ?? '').trim().toUpperCase()),
    cache: cacheFolder(env),
    proxies: {
      httpProxy: either('HTTP_PROXY'),
      httpsProxy: either('HTTPS_PROXY'),
      noProxy: either('NO_PROXY'),
    },
  };
}

function readEndpoint(value: string | undefined): string {
  const given = value?.trim() || HUB;
  if (!URL.canParse(given) || !/^https?:$/.test(new URL(given).protocol)) {
    throw new OptionError(`HF_ENDPOINT expected an address such as ${HUB}, got "${given}"`);
  }
  return given.replace(/\/+$/, '');
}

/** The folder is absolute: a program that changes its folder still finds its files. */
export function cacheFolder(env: Environment): string {
  if (env.LLAMAGEN_CACHE) return resolve(env.LLAMAGEN_CACHE);
  if (env.HF_HOME) return resolve(env.HF_HOME, 'llamagen-webgpu');
  const caches = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return resolve(caches, 'llamagen-webgpu', 'hub');
}
