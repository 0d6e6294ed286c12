import { describe, expect, test } from 'vitest';
import { OptionError } from '../../../src/errors.ts';
import { hubSettings } from '../../../src/node/hub/settings.ts';

describe('the settings of the hub', () => {
  test('are those of the public hub by default', () => {
    expect(hubSettings({ HOME: '/home/ann' })).toEqual({
      endpoint: 'https://huggingface.co',
      offline: false,
      cache: '/home/ann/.cache/llamagen-webgpu/hub',
      proxies: { noProxy: '' },
    });
  });

  test.each([
    [{ LLAMAGEN_CACHE: '/a', HF_HOME: '/b', XDG_CACHE_HOME: '/c' }, '/a'],
    [{ HF_HOME: '/b', XDG_CACHE_HOME: '/c' }, '/b/llamagen-webgpu'],
    [{ XDG_CACHE_HOME: '/c', HOME: '/d' }, '/c/llamagen-webgpu/hub'],
  ])('keep files where %o says', (env, folder) => {
    expect(hubSettings(env).cache).toBe(folder);
  });

  test('make a folder of the cache absolute', () => {
    expect(hubSettings({ LLAMAGEN_CACHE: 'near' }).cache).toBe(`${process.cwd()}/near`);
  });

  test('take an endpoint with and without a slash, and no other text', () => {
    for (const given of ['https://mirror.example/hub', 'https://mirror.example/hub/']) {
      expect(hubSettings({ HF_ENDPOINT: given }).endpoint).toBe('https://mirror.example/hub');
    }
    for (const given of ['mirror', 'ftp://mirror.example', 'file:///etc']) {
      expect(() => hubSettings({ HF_ENDPOINT: given })).toThrow(OptionError);
      expect(() => hubSettings({ HF_ENDPOINT: given })).toThrow(/HF_ENDPOINT expected an address/);
    }
  });

  test('take a token without the spaces around it, never one with a line break', () => {
    expect(hubSettings({ HF_TOKEN: ' hf_abc\n' }).token).toBe('hf_abc');
    expect(hubSettings({ HF_TOKEN: ' ' })).not.toHaveProperty('token');
    expect(() => hubSettings({ HF_TOKEN: 'a\nb: c' })).toThrow(/^HF_TOKEN expected/);
  });
});
