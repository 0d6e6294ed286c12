/** Features of prompts as a file, made on one machine and used on another. */
import { OptionError } from '../errors.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import { decodeF32, isWeightDType } from '../weights/convert.ts';
import { parseJson } from '../weights/json-text.ts';
import { openSafetensors, type Safetensors, type TensorEntry } from '../weights/safetensors.ts';
import { safetensorsHeader } from '../weights/safetensors-writer.ts';
import { type ByteSource, readExactly } from '../weights/source.ts';

/** Features, and the prompt that they were made of where that is known. */
export interface PromptFeatures extends CaptionFeatures {
  readonly prompt?: string | undefined;
}

/** The content of a file of features. */
export interface FeaturesFile {
  readonly features: readonly PromptFeatures[];
  /** The text encoder that made them (`encoderId`), where the file tells. */
  readonly encoder?: string | undefined;
}

/** The only tensor of a file with one prompt; of several they are `caption.0`, `caption.1` and so on. */
const TENSOR = 'caption';
const NUMBERED = /^caption\.(0|[1-9]\d{0,5})$/;

/** A safetensors file of features: f32 [tokens, dim] for each prompt, their prompts in the metadata. */
export function featuresFile({ features, encoder }: FeaturesFile): Uint8Array<ArrayBuffer> {
  const tensors = features.map(({ tokens, dim }, i) => ({
    name: features.length === 1 ? TENSOR : `${TENSOR}.${i}`,
    dtype: 'F32' as const,
    shape: [tokens, dim],
  }));
  const prompts = JSON.stringify(features.map(({ prompt }) => prompt ?? null));
  const header = safetensorsHeader(tensors, {
    format: 'pt',
    prompts,
    ...(encoder !== undefined && { encoder }),
  });
  const bytes = new Uint8Array(header.byteLength);
  bytes.set(header.bytes);
  let at = header.bytes.byteLength;
  for (const { values } of features) {
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return bytes;
}

/**
 * Reads a file of features, by this program or another: `caption`, or `caption.0`, `caption.1` and so on,
 * in f32, f16 or bf16.
 * @throws WeightsError when it is no safetensors file; OptionError when it holds no features.
 */
export async function readFeaturesFile(source: ByteSource): Promise<FeaturesFile> {
  const file = await openSafetensors(source);
  const tensors = captionsOf(file);
  const prompts = promptsOf(file);
  const features = await Promise.all(
    tensors.map(async (tensor, i): Promise<PromptFeatures> => {
      const prompt = prompts[i];
      return { ...(await readCaption(tensor)), ...(typeof prompt === 'string' && { prompt }) };
    }),
  );
  return { features, encoder: file.metadata.get('encoder') };
}

/** The tensors with features, in the order of their numbers. */
function captionsOf({ name, tensors }: Safetensors): readonly TensorEntry[] {
  const single = tensors.get(TENSOR);
  const numbered = [...tensors.values()].filter((tensor) => NUMBERED.test(tensor.name));
  const other = [...tensors.keys()].find((key) => key !== TENSOR && !NUMBERED.test(key));
  const hasOne = single !== undefined && numbered.length === 0;
  const isComplete = numbered.every((_, i) => tensors.has(`${TENSOR}.${i}`));
  if (other === undefined && single === undefined && numbered.length > 0 && isComplete) {
    return numbered.map((_, i) => tensors.get(`${TENSOR}.${i}`)).filter((t) => t !== undefined);
  }
  if (other === undefined && hasOne) return [single];
  const there =
    other === undefined ? `${[...tensors.keys()].slice(0, 4).join(', ')}` : `"${other}"`;
  throw new OptionError(
    `${name}: expected features of prompts, a tensor "${TENSOR}" or "${TENSOR}.0", "${TENSOR}.1" and so on, got ${there || 'none'}: "llamagen embed" makes such files`,
  );
}

async function readCaption(tensor: TensorEntry): Promise<CaptionFeatures> {
  const { name, dtype, shape, source, offset, byteLength } = tensor;
  const [tokens, dim] = shape;
  if (shape.length !== 2 || !tokens || !dim || !isWeightDType(dtype)) {
    throw new OptionError(
      `${source.name}: "${name}" expected floats [tokens, features], got ${dtype} [${shape}]`,
    );
  }
  const values = decodeF32(dtype, await readExactly(source, offset, byteLength));
  return { values, tokens, dim };
}

/** What the metadata say, read with care: a prompt is no more than a label here. */
function promptsOf({ metadata }: Safetensors): readonly unknown[] {
  try {
    const value = parseJson(metadata.get('prompts') ?? '[]');
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
