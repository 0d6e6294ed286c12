/** Files of features: what was written is read, and what others wrote is read with care. */
import { describe, expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { featuresFile, readFeaturesFile } from '../../src/generate/features-file.ts';
import { memorySource } from '../../src/weights/source.ts';
import { normal } from '../support/random.ts';
import { bytesOf, type StoredTensor, writeSafetensors } from '../support/safetensors.ts';

const caption = (tokens: number, prompt?: string) => ({
  ...{ values: normal(tokens * 4, tokens, 1), tokens, dim: 4 },
  ...(prompt !== undefined && { prompt }),
});
const read = (bytes: Uint8Array) => readFeaturesFile(memorySource('features.safetensors', bytes));
const stored = (tensors: Record<string, Partial<StoredTensor>>) =>
  writeSafetensors(
    Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [
        name,
        { dtype: 'F32', shape: [2, 4], bytes: bytesOf(normal(8, 1, 1)), ...tensor },
      ]),
    ),
  );

describe('a file of features', () => {
  test.each([
    ['of one prompt', [caption(3, 'a cat')]],
    ['of several, of several lengths', [caption(3, 'a "cat"'), caption(1, ''), caption(7, 'ü\n')]],
    ['of twelve, in their order', Array.from({ length: 12 }, (_, i) => caption(i + 1, `${i}`))],
    ['of features whose prompts nobody knows', [caption(2), caption(3)]],
  ])('%s', async (_, features) => {
    const file = { features, encoder: '0123' };
    expect(await read(featuresFile(file))).toEqual(file);
  });

  test('of others may be of halves, and know nothing of prompts', async () => {
    const bytes = Uint8Array.of(0x80, 0x3f, 0, 0, 0, 0, 0x80, 0xbf);
    const file = await read(stored({ caption: { dtype: 'BF16', shape: [1, 4], bytes } }));
    expect(file.encoder).toBeUndefined();
    expect(file.features).toEqual([{ values: Float32Array.of(1, 0, 0, -1), tokens: 1, dim: 4 }]);
  });
});

describe('refused', () => {
  test.each([
    ['weights of a model', { 'layers.0.wo': {} }, /expected features of prompts.*llamagen embed/],
    ['something beside them', { caption: {}, other: {} }, /got "other"/],
    ['both kinds of names', { caption: {}, 'caption.0': {} }, /expected features of prompts/],
    ['a number that is missing', { 'caption.0': {}, 'caption.2': {} }, /expected features/],
    ['a vector', { caption: { shape: [8] } }, /"caption" expected floats \[tokens, features\]/],
    ['integers', { caption: { dtype: 'I32' } }, /got I32/],
    ['no tokens', { caption: { shape: [0, 4], bytes: new Uint8Array(0) } }, /got F32 \[0,4\]/],
  ])('%s', async (_, tensors, message) => {
    const failed = read(stored(tensors));
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toThrow(OptionError);
  });

  test('what is no safetensors file', async () => {
    await expect(read(new Uint8Array(100))).rejects.toThrow(WeightsError);
  });
});
