import { afterEach, describe, expect, test, vi } from 'vitest';
import { openWebDevice } from '../../src/web/device.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

const browser = (gpu: unknown, isSecureContext = true): void => {
  vi.stubGlobal('navigator', { gpu });
  vi.stubGlobal('isSecureContext', isSecureContext);
};
const gpu = (adapter: unknown) => ({ requestAdapter: async () => adapter });

describe('openWebDevice says why there is no device', () => {
  test.each([
    ['an insecure page', () => browser(undefined, false), /over https or from localhost/],
    ['an old browser', () => browser(undefined), /this browser has no WebGPU/],
    ['a blocked GPU', () => browser(gpu(null)), /blocklist/],
    [
      'a lost adapter',
      () =>
        browser(
          gpu({
            features: new Set(),
            limits: {},
            requestDevice: () => Promise.reject(new Error('adapter consumed')),
          }),
        ),
      /gives no device: adapter consumed/,
    ],
  ])('%s', async (_, set, message) => {
    set();
    const opened = openWebDevice();
    await expect(opened).rejects.toThrow(message);
    await expect(opened).rejects.toMatchObject({ name: 'DeviceError', problem: 'no-adapter' });
  });
});
