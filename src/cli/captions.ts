/** Features of the prompts of a run: from the cache, else of the text encoder, which leaves again. */
import { OptionError, WeightsError } from '../errors.ts';
import { distinctIds, keyOf } from '../generate/prompts.ts';
import {
  identifyTextEncoder,
  loadTextEncoder,
  type TextEncoderOptions,
} from '../load/text-encoder.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import type { ModelJson } from '../models/model-json.ts';
import { CaptionCache } from '../node/caption-cache.ts';
import type { KernelChoices } from '../node/device.ts';
import { openFolder } from '../node/files.ts';
import type { ModelFiles } from '../weights/source.ts';
import type { Condition, PromptsToDraw } from './condition.ts';
import { formatMs, type Report } from './report.ts';

/** Where features are made. */
export interface Encoding {
  readonly device: GPUDevice;
  readonly kernels: KernelChoices;
  /** Folder of the model. */
  readonly folder: string;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** What is said of the prompts of a run. */
export interface Captions {
  /** One for each text. */
  readonly features: readonly CaptionFeatures[];
  /** Of the weights that made them, if that is known. */
  readonly encoder?: string | undefined;
  readonly textMs: number;
  /** Texts whose features were there. */
  readonly fromCache: number;
}

/** What has the size of features that are not made yet, for checks of all else. */
export function standIns(
  condition: Condition,
  { gpt: { captionDim } }: Pick<ModelJson, 'gpt'>,
): readonly CaptionFeatures[] {
  if ('classes' in condition) return [];
  if ('features' in condition) return condition.features;
  const values = new Float32Array(captionDim);
  return condition.prompts.map(() => ({ values, tokens: 1, dim: captionDim }));
}

/**
 * The features that a model draws from.
 * @throws OptionError when features are those of another text encoder; what `loadTextEncoder` throws.
 */
export async function captionsOf(
  condition: Exclude<Condition, { readonly classes: unknown }>,
  encoding: Encoding,
): Promise<Captions> {
  if ('prompts' in condition) return encodeTexts(condition, encoding);
  const { features, encoder, file } = condition;
  if (encoder !== undefined) await assertSameEncoder(file, encoder, encoding);
  return { features, encoder, textMs: 0, fromCache: 0 };
}

async function encodeTexts(
  { reader, prompts }: PromptsToDraw,
  { device, kernels, folder, report, signal }: Encoding,
): Promise<Captions> {
  const start = performance.now();
  const files = openFolder(folder);
  const options: TextEncoderOptions = {
    ...kernels,
    maxLength: reader.settings.maxLength,
    signal,
  };
  const { fingerprint, modelDigest } = await identifyTextEncoder(device, files, options);
  const cache = new CaptionCache({ onNote: (text) => report.note(text) });
  const distinct = [...distinctIds(prompts)];
  const known = new Map<string, CaptionFeatures>();
  for (const [key, ids] of distinct) {
    const features = await cache.get(fingerprint, ids);
    if (features) known.set(key, features);
  }
  const missing = distinct.filter(([key]) => !known.has(key));
  const fromCache = prompts.filter((prompt) => known.has(keyOf(prompt))).length;
  const wanted = missing.map(([, ids]) => ids);
  const made = wanted.length > 0 ? await encodeIds(wanted, files, options, { device, report }) : [];
  const kept = missing.flatMap(([key, ids], i) => {
    const features = made[i];
    if (!features) return [];
    known.set(key, features);
    return [{ ids, features }];
  });
  cache.keep(fingerprint, kept);
  const features = prompts.map((prompt) => {
    const found = known.get(keyOf(prompt));
    if (!found) throw new Error('a prompt without features');
    return found;
  });
  const textMs = performance.now() - start;
  const cached = fromCache > 0 ? `, ${fromCache} from the cache` : '';
  const count = prompts.length === 1 ? 'one prompt' : `${prompts.length} prompts`;
  report.line(`text     ${formatMs(textMs)}  ${count}${cached}`);
  return { features, encoder: modelDigest, textMs, fromCache };
}

/** Loads the text encoder and takes it from the device again: the decoder needs the room. */
async function encodeIds(
  ids: readonly (readonly number[])[],
  files: ModelFiles,
  options: TextEncoderOptions,
  { device, report }: Pick<Encoding, 'device' | 'report'>,
): Promise<CaptionFeatures[]> {
  const start = performance.now();
  const encoder = await loadTextEncoder(device, files, {
    ...options,
    onProgress: (done, total) =>
      report.progress({ phase: 'load', done, total, elapsedMs: performance.now() - start }),
  });
  try {
    return await encoder.encode(ids, { signal: options.signal });
  } finally {
    encoder.destroy();
  }
}

/** Where the model has its text encoder, features must be of that one. */
async function assertSameEncoder(
  file: string,
  encoder: string,
  { device, kernels, folder, signal }: Encoding,
): Promise<void> {
  const files = openFolder(folder);
  const own = await identifyTextEncoder(device, files, { ...kernels, signal }).catch((error) => {
    // A model may come without one, and then takes features of the right size.
    if (error instanceof WeightsError) return undefined;
    throw error;
  });
  if (own === undefined || own.modelDigest === encoder) return;
  throw new OptionError(
    `--features: ${file} has features of another text encoder (${encoder}) than this model's (${own.modelDigest}): make them with "llamagen embed --model" of this model`,
  );
}
