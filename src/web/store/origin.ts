/** Where the files of a model come from. */
import type { Checkpoint } from '../../catalogue/checkpoints.ts';
import { OptionError } from '../../errors.ts';
import { shortDigest } from '../../weights/digest.ts';
import { planFolder } from './folder-plan.ts';
import { askFile, type RemoteFile, readAll } from './remote.ts';
import { folderRefusal, type Web } from './requests.ts';
import type { StoredModel } from './types.ts';

/** A place that models are fetched from. */
export interface Origin {
  /** Names the model in the store. */
  readonly id: string;
  /** For messages. */
  readonly name: string;
  readonly source: StoredModel['source'];
  /** The official model that it is, if it is one. */
  readonly official?: Checkpoint | undefined;
  readonly web: Pick<Web, 'headers' | 'refusal'>;
  /**
   * Asks which files there are, in which versions.
   * @throws DownloadError, WeightsError.
   */
  plan(web: Web): Promise<OriginPlan>;
}

export interface OriginPlan {
  readonly name: string;
  readonly files: readonly RemoteFile[];
}

/**
 * A model folder at an address.
 * @throws OptionError when the address is none.
 */
export async function folderOrigin(address: string): Promise<Origin> {
  const page = globalThis.location?.href;
  if (!URL.canParse(address, page)) {
    throw new OptionError(
      `"${address}" is no address: expected one such as https://example.com/model`,
    );
  }
  const folder = new URL(address, page);
  const urlOf = (file: string): string => {
    const url = new URL(folder);
    const names = file.split('/').map(encodeURIComponent).join('/');
    url.pathname = `${folder.pathname.replace(/\/$/, '')}/${names}`;
    return url.href;
  };
  return {
    id: await shortDigest(`url ${folder.href}`),
    name: folder.href,
    source: { url: folder.href },
    web: { headers: {}, refusal: folderRefusal },
    async plan(web) {
      const { config, files } = await planFolder({
        name: folder.href,
        find: (file) => askFile(web, file, urlOf(file)),
        read: (file) => readAll(web, file),
      });
      return { name: config.name, files };
    },
  };
}
