/** What a result says of how it was computed: equal fingerprints and seeds are equal pixels. */
import { afterAll, describe, expect, test } from 'vitest';
import { generate, type LoadOptions, loadModel, type Model } from '../../src/index.ts';
import { differingParts, fingerprintOf, modelFacts } from '../../src/load/fingerprint.ts';
import { VERSION } from '../../src/version.ts';
import { digestOfFile } from '../../src/weights/digest.ts';
import { openModelWeights } from '../../src/weights/model-weights.ts';
import type { ModelFiles } from '../../src/weights/source.ts';
import { testDevice } from '../support/device.ts';
import { tinyFolder } from '../support/tiny-model.ts';

const device = await testDevice();
const loaded: Model[] = [];
afterAll(() => {
  for (const model of loaded) model.destroy();
});

async function load(options: LoadOptions = {}, files: ModelFiles = tinyFolder()): Promise<Model> {
  const model = await loadModel(device, files, { precision: 'exact', ...options });
  loaded.push(model);
  return model;
}

const model = await load();
const { fingerprint } = model;

test('the same model loaded again has the same fingerprint, and draws the same pixels', async () => {
  const again = await load({ maxBindingBytes: 4096 });
  expect(again.fingerprint).toEqual(fingerprint);
  const [one, other] = await Promise.all(
    [model, again].map((m) => generate(m, { classes: [0, 2], seed: 5 })),
  );
  expect(one?.fingerprint).toEqual(fingerprint);
  expect(other?.images).toEqual(one?.images);
});

test('its text names version, model, adapter, precision and kernels', () => {
  const [version, name, adapter, precision, kernels, ...rest] = fingerprint.text.split('; ');
  expect(version).toBe(VERSION);
  expect(name).toMatch(/^tiny [0-9a-f]{16}$/);
  expect(adapter).toContain(device.adapterInfo.description);
  expect(precision).toBe('exact, f32 weights, f32 cache');
  expect(kernels).toMatch(/halves/);
  expect(rest).toEqual([]);
  expect(fingerprint.digest).toMatch(/^[0-9a-f]{16}$/);
});

describe('another', () => {
  /** The parts in which a model's fingerprint differs. */
  const partsOf = ({ fingerprint: other }: Model): string => {
    expect(other.digest === fingerprint.digest).toBe(other.text === fingerprint.text);
    return differingParts(fingerprint.text, other.text).join();
  };

  test.each<[string, LoadOptions, string]>([
    ['precision', { precision: 'fast' }, 'precision'],
    ['cache', { precision: undefined, kvDtype: 'f16' }, 'precision'],
    ['storage of weights', { dtype: 'int8' }, 'precision'],
    ['tile', { tiles: { product: { split: 2 } } }, 'kernels'],
    ['reduction', { variant: { reduce: 'workgroup' } }, 'kernels'],
    ['size of workgroups', { variant: { invocations: 64 } }, 'kernels'],
  ])('%s is another fingerprint', async (_, options, parts) => {
    expect(partsOf(await load(options))).toBe(parts);
  });

  test('weight, in the decoder or the tokenizer, is another model', async () => {
    for (const wanted of ['layers.2.attention.wo.weight', 'decoder.conv_out.bias']) {
      const change = (name: string, values: Float32Array): void => {
        if (name === wanted) values[values.length - 1] = 0.5;
      };
      expect(partsOf(await load({}, tinyFolder({ change }))), wanted).toBe('model');
    }
  });

  test('encoder is the same model: pictures do not depend on it', async () => {
    expect(partsOf(await load({ encoder: true }, tinyFolder({ encoder: true })))).toBe('');
  });
});

test('is told of a folder without loading it', async () => {
  const files = tinyFolder({ encoder: true });
  const digests = await Promise.all([
    openModelWeights(files, 'gpt').then(digestOfFile),
    openModelWeights(files, 'vq').then(digestOfFile),
  ]);
  const facts = modelFacts(model.config, digests);
  const { precision } = model.gpt;
  const told = await fingerprintOf({ model: facts, adapter: device.adapterInfo, precision });
  expect(told).toEqual(fingerprint);
});
