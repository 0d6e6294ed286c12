/** What a download is asked for and gives: types that name no HTTP library, for who has none of its types. */
import type { Environment } from '../environment.ts';
import type { FreeBytes } from './disk.ts';
import type { DownloadProgress } from './progress.ts';
import type { HubTiming } from './settings.ts';

/** Which file, and how to fetch it. */
export interface DownloadOptions {
  /** E.g. `FoundationVision/LlamaGen`. */
  readonly repo: string;
  /** Path in the repository. */
  readonly file: string;
  /** Branch, tag or commit. Default `main`. */
  readonly revision?: string | undefined;
  /**
   * Variables that count: `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_DISABLE_IMPLICIT_TOKEN`,
   * `HF_HUB_OFFLINE`, `LLAMAGEN_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`, `HTTP_PROXY`, `HTTPS_PROXY`,
   * `ALL_PROXY`, `NO_PROXY`. Default: those of the process.
   */
  readonly env?: Environment | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timing?: Partial<HubTiming> | undefined;
  readonly freeBytes?: FreeBytes | undefined;
  onProgress?(progress: DownloadProgress): void;
  /** A line for the user: a try that failed, another process at work. */
  onNote?(text: string): void;
}

/** A file that is here. */
export interface DownloadedFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Whether nothing had to be fetched. */
  readonly fromCache: boolean;
}
