/** Models of the Hugging Face hub. */
import { type Checkpoint, filesOf, findCheckpoint } from '../../catalogue/checkpoints.ts';
import { DownloadError, OptionError, WeightsError } from '../../errors.ts';
import {
  fileAddress,
  HUB,
  type HubPlace,
  listAddress,
  MAIN,
  readHubPlace,
} from '../../hub/address.ts';
import { type Listing, readListing } from '../../hub/listing.ts';
import { refusal } from '../../hub/refusal.ts';
import { shortDigest } from '../../weights/digest.ts';
import { planFolder } from './folder-plan.ts';
import type { Origin, OriginPlan } from './origin.ts';
import { type RemoteFile, readAll, readJson } from './remote.ts';
import type { Web } from './requests.ts';
import type { StoredModel } from './types.ts';

export interface HubOptions {
  /** Address of the hub or of a mirror. Default `https://huggingface.co`. */
  readonly endpoint?: string | undefined;
  /** Token with the right to read, for private and gated repositories. It is sent to the endpoint only. */
  readonly token?: string | undefined;
}

/** Longest wait that the hub may ask for. */
const LONGEST_WAIT_MS = 60_000;
const CHECKPOINT = /\.(safetensors|pt|pth|ckpt|bin)$/i;
const MAX_NAMES = 5;

/**
 * @throws OptionError when the name is that of no repository and no official model.
 */
export async function hubOrigin(
  source: { readonly hub: string; readonly revision?: string | undefined },
  { endpoint: given = HUB, token }: HubOptions = {},
): Promise<Origin> {
  const endpoint = given.replace(/\/+$/, '');
  const official = findCheckpoint(source.hub);
  const place = official ? undefined : readHubPlace(source.hub, source.revision, endpoint);
  const name = official?.name ?? [place?.repo, place?.folder].filter(Boolean).join('/');
  const revision = place?.revision ?? source.revision ?? MAIN;
  const repository: Repository = { endpoint, token };
  const stored: StoredModel['source'] = revision === MAIN ? { hub: name } : { hub: name, revision };
  return {
    id: await shortDigest(['hub', endpoint, name, revision].join('\n')),
    name,
    source: stored,
    official,
    web: {
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      refusal: (url, response) => refused(repository, url, response),
    },
    plan: (web) =>
      official
        ? planOfficial(web, repository, official, revision)
        : planRepository(web, repository, { repo: '', folder: '', revision, ...place }),
  };
}

interface Repository {
  readonly endpoint: string;
  readonly token: string | undefined;
}

/** The decoder and the tokenizer of an official model. */
async function planOfficial(
  web: Web,
  hub: Repository,
  checkpoint: Checkpoint,
  revision: string,
): Promise<OriginPlan> {
  const { name, gpt, t5 } = checkpoint;
  if (!gpt) throw new OptionError(`${name} is a tokenizer alone: choose a model with a decoder`);
  if (t5) {
    const size = `${((4 * t5.parameters) / 2e9).toFixed(1)} GB`;
    throw new OptionError(
      `${name} needs ${t5.repo}, of ${size}, to read prompts: that is too much for a page; "llamagen pull ${name}" fetches it on a machine`,
    );
  }
  const files: RemoteFile[] = [];
  for (const { repo, file } of filesOf(checkpoint)) {
    const place = { repo, folder: '', revision };
    const listing = await list(web, hub, place);
    const found = remoteFiles(hub, place, listing).get(file);
    if (!found) throw new DownloadError('not-found', `${repo}: has no file ${file}`);
    files.push(found);
  }
  return { name, files };
}

/** A model folder in a repository, or two checkpoints. */
async function planRepository(web: Web, hub: Repository, place: HubPlace): Promise<OriginPlan> {
  const listing = await list(web, hub, place);
  const files = remoteFiles(hub, place, listing);
  const name = [place.repo, place.folder].filter(Boolean).join('/');
  if (files.has('model.json')) {
    const plan = await planFolder({
      name,
      find: async (file) => files.get(file),
      read: (file) => readAll(web, file),
    });
    return { name: plan.config.name, files: plan.files };
  }
  const here = [...files.values()].filter(({ file }) => !file.includes('/'));
  const checkpoints = here.filter(({ file }) => CHECKPOINT.test(file));
  const args = here.filter(({ file }) => file === 'config.json');
  if (checkpoints.length === 2) return { name, files: [...args, ...checkpoints] };
  throw new WeightsError(
    `${name}: holds no model of LlamaGen: it has neither model.json nor a decoder and a tokenizer alone${whatElse(place, listing)}`,
  );
}

/** What a repository has in the place of one model. */
function whatElse({ repo }: HubPlace, { files }: Listing): string {
  const models = files.filter(({ file }) => /(^|\/)model\.json$/.test(file));
  if (models.length > 0) {
    const folders = models.map(({ file }) => `${repo}/${file.replace(/\/?model\.json$/, '')}`);
    return `, but models in folders: ${shorten(folders)}`;
  }
  const checkpoints = files.filter(({ file }) => CHECKPOINT.test(file));
  const officials = checkpoints.flatMap(({ file }) => {
    const found = findCheckpoint(file);
    return found?.gpt?.repo === repo ? [found.name] : [];
  });
  if (officials.length > 0) return `, but official ones: ask for ${shorten(officials)} by name`;
  const names = checkpoints.map(({ file }) => file);
  return names.length > 0 ? ` (${shorten(names)})` : '';
}

function shorten(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  const shown = names.slice(0, MAX_NAMES).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}

async function list(web: Web, { endpoint }: Repository, place: HubPlace): Promise<Listing> {
  return readListing(await readJson(web, listAddress(endpoint, place).href), endpoint);
}

/** The files of a folder of a repository by their names in it, at the commit that was listed. */
function remoteFiles(
  { endpoint }: Repository,
  { repo, folder }: HubPlace,
  { commit, files }: Listing,
): Map<string, RemoteFile> {
  const prefix = folder === '' ? '' : `${folder}/`;
  const within = files.filter(({ file }) => file.startsWith(prefix));
  return new Map(
    within.map(({ file: path, ...facts }) => {
      const file = path.slice(prefix.length);
      const url = fileAddress(endpoint, { repo, revision: commit, file: path }).href;
      // Hosts of the CDN name versions in their own ways; hashes tell more.
      return [file, { ...facts, file, url, version: commit, sameNames: false }] as const;
    }),
  );
}

/** What an answer of the hub means that is no content. */
function refused({ endpoint, token }: Repository, url: string, response: Response): Error {
  const { pathname } = new URL(url);
  const below = decodeURIComponent(
    pathname.slice(new URL(endpoint).pathname.replace(/\/$/, '').length),
  );
  const [, repo = '', revision = '', file = ''] =
    /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(?:resolve|revision)\/([^/]+)\/?(.*)$/.exec(below) ?? [];
  const answer = {
    status: response.status,
    header: (name: string) => response.headers.get(name) ?? undefined,
  };
  const denied = (status: number): string =>
    token === undefined
      ? `asks who you are (${status}): the repository is not there, is private, or wants its terms accepted on its page; check the name, or give a token with the right to read`
      : `does not accept the token for this (${status}): it needs the right to read, and the repository's terms may have to be accepted on its page`;
  const hub = { endpoint, denied, longestRetryAfterMs: LONGEST_WAIT_MS };
  return refusal(new URL(response.url || url), answer, { repo, revision, file }, hub);
}
