/** A Vulkan loader is no addon of Node: what Node, Bun and Deno say of that is no failure. */
import { afterEach, expect, test, vi } from 'vitest';
import { DeviceError } from '../../src/errors.ts';
import { loadVulkan } from '../../src/node/vulkan.ts';

afterEach(() => vi.restoreAllMocks());

const complaining = (message: string) =>
  vi.spyOn(process, 'dlopen').mockImplementation(() => {
    throw new Error(message);
  });

test.each([
  ['Node', 'Module did not self-register: "/lib/libvulkan.so.1".'],
  ['Bun', "symbol 'napi_register_module_v1' not found in native module."],
  ['Deno', 'Unable to find register Node-API module at /lib/libvulkan.so.1'],
])('%s has loaded it', (_, message) => {
  complaining(message);
  expect(loadVulkan('libvulkan.so.1')).toBe(true);
  expect(loadVulkan('/lib/libvulkan.so.1')).toBe(true);
});

test('one that is not there is none, and of a path an error', () => {
  const message = 'libvulkan.so.1: cannot open shared object file: No such file or directory';
  complaining(message);
  expect(loadVulkan('libvulkan.so.1')).toBe(false);
  expect(() => loadVulkan('/lib/libvulkan.so.1')).toThrow(DeviceError);
  expect(() => loadVulkan('/lib/libvulkan.so.1')).toThrow(message);
});
