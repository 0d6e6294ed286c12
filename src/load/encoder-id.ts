/** Tells text encoders apart without reading all of their weights. */
import { shortDigest } from '../weights/digest.ts';
import { openModelWeights } from '../weights/sharded.ts';
import { type ModelFiles, readExactly } from '../weights/source.ts';

/** Where the weights of a model folder's text encoder are: `t5.safetensors`, or shards beside its index. */
export const ENCODER_WEIGHTS = 't5';
/** Tensors of which bytes are read. */
const SAMPLED = 32;
const SAMPLE_BYTES = 1024;

/**
 * 16 hexadecimal digits of the SHA-256 of an encoder's config, of what tensors it has, and of the first
 * bytes of some of them: training changes all of them. Against accidents only.
 * @throws WeightsError when the folder has no text encoder, or a broken one.
 */
export async function encoderId(files: ModelFiles): Promise<string> {
  const config = await files.open('t5.json');
  const { tensors } = await openModelWeights(files, ENCODER_WEIGHTS);
  const sorted = [...tensors.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const every = Math.max(1, Math.floor(sorted.length / SAMPLED));
  const lines = [decoded(await readExactly(config, 0, config.byteLength))];
  for (const [i, { name, dtype, shape, source, offset, byteLength }] of sorted.entries()) {
    lines.push(`${name} ${dtype} ${shape}`);
    if (i % every !== 0) continue;
    lines.push(hex(await readExactly(source, offset, Math.min(SAMPLE_BYTES, byteLength))));
  }
  return shortDigest(lines.join('\n'));
}

const decoded = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
