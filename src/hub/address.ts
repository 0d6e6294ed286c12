/** Names of repositories of the hub, and addresses of what is in them. */
import { OptionError } from '../errors.ts';

/** The hub of Hugging Face. */
export const HUB = 'https://huggingface.co';

/** What was asked for. */
export interface Asked {
  readonly repo: string;
  readonly file: string;
  readonly revision: string;
}

/** A repository, or a folder in it. */
export interface HubPlace {
  /** E.g. `FoundationVision/LlamaGen`. */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Path in the repository; empty for all of it. */
  readonly folder: string;
}

/** The branch that repositories have. */
export const MAIN = 'main';
/** Letters, digits, dots, dashes and underscores, as the hub allows them. */
const NAME = /^(?!.*(?:\.\.|--))[\w-](?:[\w.-]{0,94}[\w-])?$/;

/** Hosts of the hub of Hugging Face. */
const HOSTS: readonly string[] = ['huggingface.co', 'www.huggingface.co', 'hf.co'];

/** A path of an address as it was meant; empty where its percent signs stand for nothing. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return '';
  }
}

const encoded = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

/** Address of a file: `{endpoint}/{repo}/resolve/{revision}/{file}`. */
export const fileAddress = (endpoint: string, { repo, revision, file }: Asked): URL =>
  new URL(`${endpoint}/${encoded(repo)}/resolve/${encodeURIComponent(revision)}/${encoded(file)}`);

/** Address of the list of all files of a revision, with their sizes and hashes. */
export const listAddress = (endpoint: string, { repo, revision }: HubPlace): URL =>
  new URL(
    `${endpoint}/api/models/${encoded(repo)}/revision/${encodeURIComponent(revision)}?blobs=true`,
  );

/**
 * Reads `owner/name`, `owner/name/folder`, each with `@revision`, or the address of a page of a
 * repository.
 * @param endpoint The hub or mirror that is asked: addresses are its own, or Hugging Face's.
 * @throws OptionError when it is none of them.
 */
export function readHubPlace(
  text: string,
  revision?: string | undefined,
  endpoint: string = HUB,
): HubPlace {
  const given = text.trim();
  const url = /^https?:\/\//i.test(given) && URL.canParse(given) ? new URL(given) : undefined;
  if (url && ![...HOSTS, new URL(endpoint).host].includes(url.host)) {
    throw new OptionError(
      `"${text}" is no address of the hub: expected owner/name, or an address that begins with ${endpoint}`,
    );
  }
  const [, path = '', asked] = url
    ? [undefined, decoded(url.pathname.slice(1)), undefined]
    : (/^([^@]*)(?:@(.+))?$/.exec(given) ?? []);
  const [owner = '', name = '', ...rest] = path.replace(/\/+$/, '').split('/');
  // Pages of a repository: /tree/REVISION/FOLDER.
  const [page, shown, ...within] = rest;
  const isPage = url !== undefined && (page === 'tree' || page === 'blob' || page === 'resolve');
  const folder = (isPage ? (page === 'tree' ? within : within.slice(0, -1)) : rest).join('/');
  if (NAME.test(owner) && NAME.test(name) && !folder.split('/').includes('..')) {
    const known = revision ?? asked ?? (isPage ? shown : undefined);
    return { repo: `${owner}/${name}`, revision: known || MAIN, folder };
  }
  throw new OptionError(
    `"${text}" names no repository of the hub: expected owner/name, such as FoundationVision/LlamaGen`,
  );
}
