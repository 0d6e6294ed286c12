/** The sampler in one dispatch against the three kernels that it is made of: the same bits. */
import { describe, expect, test } from 'vitest';
import { drawToken } from '../../kernels/draw-token.ts';
import { filterLogits } from '../../kernels/filter-logits.ts';
import { guidance } from '../../kernels/guidance.ts';
import { packSampling } from '../../kernels/lib/sampling.ts';
import { sampleToken } from '../../kernels/sample-token.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { sampling } from '../support/sampling.ts';
import { deviceVariants, F32_VARIANTS } from '../support/variants.ts';

const device = await testDevice();

const settings = [
  sampling({ seed: 1, cfgScale: 4, topK: 20 }),
  sampling({ seed: 2, cfgScale: 1 }),
  sampling({ seed: 3, cfgScale: 2, topP: 0.7, temperature: 0.8 }),
  sampling({ seed: 4, cfgScale: 3, greedy: true }),
  sampling({ seed: 5, cfgScale: 3, cfgInterval: 0, topK: 9, topP: 0.9 }),
  sampling({ seed: 6, cfgScale: 2, forced: true }),
];
const sequences = settings.length;
const blockSize = 16;
const clsTokenNum = 1;

describe.each([...deviceVariants(device, F32_VARIANTS)])('$reduce', (variant) => {
  test.each([
    { vocabSize: 257, guided: true },
    { vocabSize: 1000, guided: true },
    { vocabSize: 64, guided: false },
  ])('$vocabSize tokens, guided $guided', async ({ vocabSize, guided }) => {
    const rows = guided ? 2 * sequences : sequences;
    const raw = normal(rows * vocabSize, vocabSize, 3);
    const steps = [0, 1, 2, 3, 5, 7];
    const place = Array.from({ length: rows }, (_, r) => [r, steps[r % sequences]!]).flat();
    const tokens = new Uint32Array(sequences * blockSize).fill(0xffff);
    const packed = packSampling(settings);
    const sizes = { sequences, rows, vocabSize, blockSize, clsTokenNum, variant };

    const inputs = { raw, sampling: packed, place, tokens };
    const whole = await runKernel(device, sampleToken(sizes), inputs);

    const mixed = guided
      ? await runKernel(device, guidance({ sequences, vocabSize, clsTokenNum }), {
          ...{ logits: raw, place, sampling: packed },
        })
      : { out: raw };
    const { probs } = await runKernel(device, filterLogits({ sequences, vocabSize, variant }), {
      ...{ logits: mixed.out!, sampling: packed },
    });
    const drawn = await runKernel(device, drawToken(sizes), {
      ...{ probs: probs!, sampling: packed, place, tokens },
    });
    expect(whole.logits).toEqual(mixed.out);
    expect(whole.probs).toEqual(probs);
    expect(whole.tokens).toEqual(drawn.tokens);
    expect(whole.place).toEqual(drawn.place);
  });
});
