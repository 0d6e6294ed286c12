import { describe, expect, test } from 'vitest';
import { toRgba } from '../../kernels/conv/to-rgba.ts';
import * as oracle from '../oracle/to-rgba.ts';
import { testDevice } from '../support/device.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();

describe('to_rgba', () => {
  test('a pixel with a colour that is not finite is 0, and no other is', async () => {
    const params = { images: 2, height: 1, width: 5 };
    const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
    const image = [
      ...[nan, 0, 0, -1, 3e38, 0, inf, 0, -1, -3e38, 0, 0, -inf, -1, 3e38],
      ...[0, 0, 0, 0, 0, nan, nan, nan, nan, nan, 1, 1, 1, 1, 1],
    ];
    const { rgba } = await runKernel(device, toRgba(params), { image });
    expect([...rgba!]).toEqual([...oracle.toRgba(params, { image })]);
    expect([...rgba!].map((word) => word === 0)).toEqual([
      ...[true, true, true, false, false, true, true, true, true, true],
    ]);
  });

  test('clamps, keeps the order R, G, B, A and is opaque', async () => {
    const params = { images: 1, height: 1, width: 2 };
    const image = [-1, 1e30, 0, -1e30, 1, 0.5];
    const { rgba } = await runKernel(device, toRgba(params), { image });
    const bytes = new Uint8Array(Uint32Array.from(rgba!).buffer);
    expect([...bytes]).toEqual([0, 128, 255, 255, 255, 0, 191, 255]);
  });
});
