/** What a model takes, by its headers alone. */
import { checkpointMemory, type WeightDtype } from '../../catalogue/checkpoint-memory.ts';
import { openGiven } from '../../convert/given.ts';
import { parseModelJson } from '../../models/model-json.ts';
import { downsampleOf } from '../../models/vq-config.ts';
import { openModelWeights } from '../../weights/model-weights.ts';
import type { FileDType } from '../../weights/safetensors.ts';
import { type ByteSource, checkRange, type ModelFiles, readExactly } from '../../weights/source.ts';
import { openFiles } from './given.ts';
import type { HubOptions } from './hub-origin.ts';
import { originOf } from './origin-of.ts';
import { type RemoteFile, streamRange, type Web } from './remote.ts';
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
  if ('files' in source) {
    const bytes = source.files.reduce((sum, { size }) => sum + size, 0);
    return estimateFiles(await openFiles(source.files), bytes);
  }
  const origin = await originOf(source, hub);
  const web: Web = { ...origin.web, signal, contacted: false };
  const { files } = await origin.plan(web);
  const sources = files.map((file) => [file.file, rangesOf(web, file)] as const);
  const model = await openGiven(new Map(sources));
  return estimateFiles(
    model,
    files.reduce((sum, file) => sum + file.bytes, 0),
  );
}

async function estimateFiles(files: ModelFiles, bytes: number): Promise<SourceEstimate> {
  const source = await files.open('model.json');
  const text = await readExactly(source, 0, source.byteLength);
  const { name, gpt, vq } = parseModelJson(new TextDecoder().decode(text), source.name);
  const { tensors } = await openModelWeights(files, 'gpt');
  const dtype = STORED[tensors.get(TYPICAL)?.dtype ?? 'F32'] ?? 'f32';
  const memory = checkpointMemory({ gptConfig: gpt, vqConfig: vq, grid: gpt.gridSize });
  const { total = 0, largestBuffer = { name: '', bytes: 0 } } = memory.get(dtype) ?? {};
  return {
    name,
    modelType: gpt.modelType,
    pixels: gpt.gridSize * downsampleOf(vq),
    bytes,
    gpuBytes: total,
    largestBuffer,
  };
}

/** A file of a server, of which each read is a request. */
function rangesOf(web: Web, file: RemoteFile): ByteSource {
  const { url: name, bytes: byteLength, content } = file;
  return {
    name,
    byteLength,
    async read(offset, length) {
      checkRange({ name, byteLength }, offset, length);
      if (content) return content.slice(offset, offset + length);
      const bytes = new Uint8Array(length);
      if (length === 0) return bytes;
      await streamRange(web, file, offset, offset + length - 1, async (chunk, at) => {
        const from = Math.max(0, offset - at);
        if (from < chunk.byteLength) bytes.set(chunk.subarray(from), at + from - offset);
      });
      return bytes;
    },
  };
}
