/** What the environment says about the hub: the variables of the official client, and ours. */
import { resolve } from 'node:path';
import { OptionError } from '../../errors.ts';
import { HUB } from '../../hub/address.ts';
import type { RetryTiming } from '../../hub/retry.ts';
import type { Environment } from '../environment.ts';
import { type ProxySettings, proxySettings } from './proxy-settings.ts';
import { expandHome, findToken, userCaches } from './token.ts';

/** Where files come from and where they are kept. */
export interface HubSettings {
  /** `HF_ENDPOINT`, without a slash at the end. */
  readonly endpoint: string;
  /** `HF_TOKEN` or the token of the login: sent to the endpoint and to no other host. */
  readonly token?: string | undefined;
  /** The variable or file that the token is from. */
  readonly tokenFrom?: string | undefined;
  /** `HF_HUB_OFFLINE`: use what is in the cache, ask nobody. */
  readonly offline: boolean;
  /** `LLAMAGEN_CACHE`, else a folder in that of `HF_HOME` or the user's caches. */
  readonly cache: string;
  /** The proxies of `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`. */
  readonly proxies: ProxySettings;
}

/** Waits and limits of a download. Tests make them short. */
export interface HubTiming extends RetryTiming {
  /** Longest silence of a server before the try counts as failed; making a connection is one. */
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
  // A first packet that is lost is sent again after 1 s.
  contactMs: 3000,
  longestRetryAfterMs: 600_000,
  lockPollMs: 500,
};

/** Values that switch a variable on, as the official client reads them. */
const ON: ReadonlySet<string> = new Set(['1', 'ON', 'YES', 'TRUE']);

/**
 * Reads the settings.
 * @throws OptionError that names a variable when its value is no address, or a token is none.
 */
export function hubSettings(env: Environment): HubSettings {
  const offline = isOn(env.HF_HUB_OFFLINE);
  return {
    endpoint: readEndpoint(env.HF_ENDPOINT),
    // Nobody is asked, so nobody needs to know who asks, nor by which way.
    ...(!offline && !isOn(env.HF_HUB_DISABLE_IMPLICIT_TOKEN) && findToken(env)),
    offline,
    cache: cacheFolder(env),
    proxies: offline ? { noProxy: '' } : proxySettings(env),
  };
}

const isOn = (value: string | undefined): boolean => ON.has((value ?? '').trim().toUpperCase());

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
  if (env.HF_HOME) return resolve(expandHome(env.HF_HOME, env), 'llamagen-webgpu');
  return resolve(userCaches(env), 'llamagen-webgpu', 'hub');
}
