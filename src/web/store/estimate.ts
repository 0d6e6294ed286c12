/** What a model takes, by its headers alone. */
import {
  checkpointMemory,
  type Sized,
  type WeightDtype,
} from '../../catalogue/checkpoint-memory.ts';
import { openGiven } from '../../convert/given.ts';
import { parseModelJson } from '../../models/model-json.ts';
import { downsampleOf } from '../../models/vq-config.ts';
import { openModelWeights } from '../../weights/model-weights.ts';
import type { FileDType } from '../../weights/safetensors.ts';
import { type ByteSource, checkRange, type ModelFiles, readExactly } from '../../weights/source.ts';
import { openFiles } from './given.ts';
import type { HubOptions } from './hub-origin.ts';
import type { Origin } from './origin.ts';
import { originOf } from './origin-of.ts';
import type { Bytes } from './place.ts';
import { type RemoteFile, streamRange } from './remote.ts';
import type { Web } from './requests.ts';
import { SILENCE_MS, type SilenceOptions } from './silence.ts';
import type { ModelSource, SourceEstimate } from './types.ts';

export interface EstimateOptions {
  readonly signal?: AbortSignal | undefined;
  /** Where models of the hub come from. */
  readonly hub?: HubOptions | undefined;
}

/** How weights are stored on the device when nobody asks for another way. */
const STORED: Readonly<Partial<Record<FileDType, WeightDtype>>> = {
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  I8: 'int8',
  U8: 'int4',
};

/** How official decoders are stored once they are converted. */
const OFFICIAL_DTYPE: WeightDtype = 'bf16';
/** A tensor of the decoder that is stored as most of it is. */
const TYPICAL = 'layers.0.attention.wqkv.weight';

/**
 * What a model takes, before its weights are fetched: only its description and the headers of its files
 * are read.
 * @throws DownloadError when something cannot be fetched, WeightsError when it is no model, OptionError
 * when the source is none; the reason of `signal` once it is aborted.
 */
export async function estimateSource(
  source: ModelSource,
  { signal, hub }: EstimateOptions = {},
): Promise<SourceEstimate> {
  signal?.throwIfAborted();
  if ('files' in source) return estimateGiven(source.files);
  const origin = await originOf(source, hub);
  return estimateOrigin(origin, { signal, silenceMs: SILENCE_MS });
}

/** What a model takes in files that somebody gave. */
export async function estimateGiven(files: readonly File[]): Promise<SourceEstimate> {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return estimateFiles(await openFiles(files), bytes);
}

/** What a model takes, by what its server says. */
export async function estimateOrigin(
  { web: asked, official, plan }: Origin,
  options: SilenceOptions,
): Promise<SourceEstimate> {
  const web: Web = { ...asked, ...options, contacted: false };
  const { name, files } = await plan(web);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  // Their sizes are known; a file of torch.save tells them in hundreds of places.
  if (official) return { name, bytes, storedBytes: 0, ...taken(official, OFFICIAL_DTYPE) };
  const sources = files.map((file) => [file.file, rangesOf(web, file)] as const);
  return estimateFiles(await openGiven(new Map(sources)), bytes);
}

/** What a model takes whose files can be read. */
export async function estimateFiles(files: ModelFiles, bytes: number): Promise<SourceEstimate> {
  const source = await files.open('model.json');
  const text = await readExactly(source, 0, source.byteLength);
  const { name, gpt, vq } = parseModelJson(new TextDecoder().decode(text), source.name);
  const { tensors } = await openModelWeights(files, 'gpt');
  const dtype = STORED[tensors.get(TYPICAL)?.dtype ?? 'F32'] ?? 'f32';
  const sizes = { gptConfig: gpt, vqConfig: vq, grid: gpt.gridSize };
  return { name, bytes, storedBytes: 0, ...taken(sizes, dtype) };
}

/** What a model takes with its decoder stored in a type. */
function taken(
  model: Sized,
  dtype: WeightDtype,
): Omit<SourceEstimate, 'name' | 'bytes' | 'storedBytes'> {
  const { modelType = 'c2i', gridSize = 0 } = model.gptConfig ?? {};
  const memory = checkpointMemory(model).get(dtype);
  return {
    modelType,
    pixels: gridSize * downsampleOf(model.vqConfig),
    gpuBytes: memory?.total ?? 0,
    largestBuffer: memory?.largestBuffer ?? { name: 'nothing', bytes: 0 },
  };
}

/** Longest read that is widened, so that the next ones may be answered by it. */
const CHUNK_BYTES = 2 ** 16;

/** A file of a server, of which longer reads are a request each. */
function rangesOf(web: Web, file: RemoteFile): ByteSource {
  const { url: name, bytes: byteLength, content } = file;
  const chunks = new Map<number, Promise<Bytes>>();
  const fetchRange = async (offset: number, length: number): Promise<Bytes> => {
    if (content) return content.slice(offset, offset + length);
    const bytes = new Uint8Array(length);
    if (length === 0) return bytes;
    await streamRange(web, file, offset, offset + length - 1, async (chunk, at) => {
      const from = Math.max(0, offset - at);
      if (from < chunk.byteLength) bytes.set(chunk.subarray(from), at + from - offset);
    });
    return bytes;
  };
  const chunkAt = (begin: number): Promise<Bytes> => {
    const known = chunks.get(begin);
    if (known) return known;
    const fetched = fetchRange(begin, Math.min(CHUNK_BYTES, byteLength - begin));
    chunks.set(begin, fetched);
    return fetched;
  };
  return {
    name,
    byteLength,
    async read(offset, length) {
      checkRange({ name, byteLength }, offset, length);
      if (length > CHUNK_BYTES) return fetchRange(offset, length);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const from = (offset + done) % CHUNK_BYTES;
        const chunk = await chunkAt(offset + done - from);
        const piece = chunk.subarray(from, from + length - done);
        bytes.set(piece, done);
        done += piece.byteLength;
      }
      return bytes;
    },
  };
}
