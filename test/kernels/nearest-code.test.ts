import { describe, expect, test } from 'vitest';
import { nearestCode } from '../../kernels/embed/nearest-code.ts';
import { NO_TOKEN } from '../../kernels/lib/finite.ts';
import * as oracle from '../oracle/nearest-code.ts';
import { testDevice } from '../support/device.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();

describe('nearest_code', () => {
  test.each([true, false])('no code is nearest to what is not finite, l2 %s', async (l2Norm) => {
    const params = { images: 1, height: 2, width: 3, codebookSize: 2, codebookEmbedDim: 2, l2Norm };
    const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
    // The last but one is finite, but its length is not.
    const inputs = {
      latents: [1, nan, 2, -inf, 1e20, 9, 0, 0, inf, 0, 0, 9],
      codebook: [1, 0, 0, 1],
    };
    const { indices } = await runKernel(device, nearestCode(params), inputs);
    const none = NO_TOKEN;
    expect([...indices!]).toEqual([0, none, none, none, none, 0]);
    expect([...oracle.nearestCode(params, inputs)]).toEqual([...indices!]);
  });

  test.each([0, 1, 2, 3, 4])('wherever it stands: component %i', async (component) => {
    const one = { images: 1, height: 1, width: 1, codebookSize: 1, codebookEmbedDim: 5 };
    const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
    for (const value of [nan, inf, -inf]) {
      const latents = [1, 2, 3, 4, 5].with(component, value);
      const inputs = { latents, codebook: [1, 1, 1, 1, 1] };
      for (const l2Norm of [true, false]) {
        const { indices } = await runKernel(device, nearestCode({ ...one, l2Norm }), inputs);
        expect([...indices!], `${value}, l2 ${l2Norm}`).toEqual([NO_TOKEN]);
      }
    }
  });

  const sizes = { images: 1, height: 1, width: 2, codebookSize: 4, codebookEmbedDim: 2 };

  test('the first of equal codes wins', async () => {
    const inputs = { latents: [1, 3, 2, 4], codebook: [9, 9, 1, 2, 1, 2, 1, 2] };
    const params = { ...sizes, l2Norm: false };
    const { indices } = await runKernel(device, nearestCode(params), inputs);
    expect([...indices!]).toEqual([1, 1]);
  });

  test('only the direction counts with l2 norm, and a latent of zeros is no error', async () => {
    const inputs = { latents: [5, 0, 0.1, 0], codebook: [0, 1, 0.01, 0, 100, 100, -1, 0] };
    const params = { ...sizes, l2Norm: true };
    const { indices } = await runKernel(device, nearestCode(params), inputs);
    expect(indices![0]).toBe(1);
    expect(indices![1]).toBeLessThan(4);
  });

  test('latents are normalised too: a code of zeros is far from every direction', async () => {
    const inputs = { latents: [0.1, 0.01, 0, 0], codebook: [0, 0, 1, 0, 0, 0, 0, -1] };
    const params = { ...sizes, l2Norm: true };
    const { indices } = await runKernel(device, nearestCode(params), inputs);
    // The latents are (0.1, 0) and (0.01, 0): as they are, they lie nearest to the zeros.
    expect([...indices!]).toEqual([1, 1]);
    expect([...oracle.nearestCode(params, inputs)]).toEqual([1, 1]);
  });
});
