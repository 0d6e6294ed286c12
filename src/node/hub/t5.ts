/** The encoder of a T5 on the hub: its shards hold a decoder too, which is not fetched. */
import { DownloadError } from '../../errors.ts';
import { t5EncoderTensors } from '../../models/t5-tensors.ts';
import { readShardIndex } from '../../weights/sharded.ts';
import { openFile } from '../files.ts';
import { downloadFile } from './download.ts';
import type { DownloadedFile, DownloadOptions } from './download-options.ts';
import { downloadTensors, type TensorChoice, tensorsAreHere } from './tensors.ts';

const INDEX = 'model.safetensors.index.json';

/** Where the encoder of a T5 is. */
export interface HubEncoder {
  /** Shards that hold tensors of the encoder. */
  readonly shards: readonly string[];
  readonly choice: TensorChoice;
}

/** How files of one repository are fetched. */
export type RepoOptions = Omit<DownloadOptions, 'file'>;

/**
 * Reads the index of the shards, which is small.
 * @throws DownloadError as `downloadFile`, or when the repository holds no T5; WeightsError when the index is broken.
 */
export async function findEncoder(options: RepoOptions): Promise<HubEncoder> {
  const { path } = await downloadFile({ ...options, file: INDEX });
  const fileOf = await readShardIndex({
    ...(await openFile(path)),
    name: `${options.repo}/${INDEX}`,
  });
  const names = t5EncoderTensors(fileOf.keys());
  const shards = new Set([...fileOf].flatMap(([name, file]) => (names.has(name) ? [file] : [])));
  if (shards.size === 0) {
    throw new DownloadError(
      'wrong-bytes',
      `${options.repo}/${INDEX}: names no tensor of the encoder of a T5: HF_ENDPOINT names another hub`,
    );
  }
  return {
    shards: [...shards].sort(),
    choice: { name: 'encoder', wants: (tensor) => names.has(tensor) },
  };
}

/** Whether all of the encoder is in the cache. */
export async function encoderIsHere(
  options: RepoOptions,
  { shards, choice }: HubEncoder,
): Promise<boolean> {
  for (const file of shards) {
    if (!(await tensorsAreHere({ ...options, file }, choice))) return false;
  }
  return true;
}

/** The tensors of the encoder that a shard holds. */
export const downloadShard = (
  options: DownloadOptions,
  { choice }: HubEncoder,
): Promise<DownloadedFile> => downloadTensors(options, choice);
