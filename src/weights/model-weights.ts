/** The weights of a model folder, in one file or in several. */
import { WeightsError } from '../errors.ts';
import { openSafetensors, type Safetensors } from './safetensors.ts';
import type { ByteSource, ModelFiles } from './source.ts';

/**
 * Opens the weights of a model folder, in one file or in shards.
 * @param part Name without ending: STEM.safetensors, else STEM.safetensors.index.json is opened.
 * @throws WeightsError when there is neither, or when what there is is broken.
 */
export async function openModelWeights(files: ModelFiles, part: string): Promise<Safetensors> {
  const single = `${part}.safetensors`;
  let problem: WeightsError;
  try {
    return await openSafetensors(await openOf(files, single));
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    problem = error.cause;
  }
  let index: ByteSource;
  try {
    index = await openOf(files, `${single}.index.json`);
  } catch (error) {
    // Without an index it is the single file that is missing.
    throw error instanceof Missing ? problem : error;
  }
  const { openShards } = await import('./sharded.ts');
  return openShards(index, (file) => files.open(file));
}

/** A file that a folder does not give. */
class Missing extends Error {
  override readonly cause: WeightsError;
  constructor(cause: WeightsError) {
    super(cause.message);
    this.cause = cause;
  }
}

async function openOf(files: ModelFiles, file: string): Promise<ByteSource> {
  try {
    return await files.open(file);
  } catch (error) {
    throw error instanceof WeightsError ? new Missing(error) : error;
  }
}
