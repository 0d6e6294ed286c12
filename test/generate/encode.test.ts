/** The tokenizer both ways, on the shipped model. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  decodeTokens,
  encodePictures,
  generate,
  loadModel,
  type Model,
  OptionError,
  type Picture,
} from '../../src/index.ts';
import { defaultModelFolder, openFolder } from '../../src/node/files.ts';
import { testDevice, testKernels } from '../support/device.ts';

let model: Model;
let orange: Picture;
beforeAll(async () => {
  const device = await testDevice();
  model = await loadModel(device, openFolder(defaultModelFolder()), {
    encoder: true,
    ...(await testKernels()),
  });
  const { images } = await generate(model, { classes: [20], seed: 1 });
  orange = images[0]!;
});
afterAll(() => model.destroy());

function psnr(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let square = 0;
  for (let i = 0; i < a.length; i++) square += (a[i]! - b[i]!) ** 2;
  return 10 * Math.log10((255 ** 2 * a.length) / square);
}

test('a picture survives encoding and decoding', async () => {
  const [grid] = await encodePictures(model, [orange]);
  expect([grid!.height, grid!.width, grid!.tokens.length]).toEqual([12, 12, 144]);
  const [again] = await decodeTokens(model, [grid!.tokens]);
  // The tokenizer reaches 27 dB on test images; a picture of its own making comes back closer.
  expect(psnr(again!.rgba, orange.rgba)).toBeGreaterThan(24);
});

test('what is transparent counts as white', async () => {
  const fill = (rgba: readonly number[]): Picture => ({
    width: 16,
    height: 8,
    rgba: new Uint8ClampedArray(16 * 8 * 4).map((_, i) => rgba[i % 4]!),
  });
  const [white, clear, black] = await encodePictures(model, [
    fill([255, 255, 255, 255]),
    fill([0, 0, 0, 0]),
    fill([0, 0, 0, 255]),
  ]);
  expect([white!.height, white!.width]).toEqual([1, 2]);
  expect([...clear!.tokens]).toEqual([...white!.tokens]);
  expect([...black!.tokens]).not.toEqual([...white!.tokens]);
});

describe('refused', () => {
  test.each<[string, Partial<Picture>, RegExp]>([
    ['a width that is no multiple of 8', { width: 60 }, /"width".*multiple of 8, got 60/],
    ['no height', { height: 0 }, /"height".*got 0/],
    ['too few bytes', { rgba: new Uint8ClampedArray(4) }, /96 x 96 x 4 bytes, got 4/],
  ])('%s', async (_, part, message) => {
    const asked = encodePictures(model, [{ ...orange, ...part }]);
    await expect(asked).rejects.toThrow(OptionError);
    await expect(asked).rejects.toThrow(message);
  });

  test('a model that was loaded without its encoder', async () => {
    const device = await testDevice();
    const decoder = await loadModel(device, openFolder(defaultModelFolder()));
    await expect(encodePictures(decoder, [orange])).rejects.toThrow(/encoder: true/);
    decoder.destroy();
  });
});
