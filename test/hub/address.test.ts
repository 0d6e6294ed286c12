/** Names that people give for repositories of the hub, and addresses of what is in them. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { fileAddress, listAddress, readHubPlace } from '../../src/hub/address.ts';

describe('a repository', () => {
  test.each([
    ['FoundationVision/LlamaGen', 'FoundationVision/LlamaGen', 'main', ''],
    ['  a/b/ ', 'a/b', 'main', ''],
    ['a/b@v1.0', 'a/b', 'v1.0', ''],
    ['a/b/models/tiny@refs/pr/1', 'a/b', 'refs/pr/1', 'models/tiny'],
    ['https://huggingface.co/a/b', 'a/b', 'main', ''],
    ['https://huggingface.co/a/b/tree/dev/x/y?show=1', 'a/b', 'dev', 'x/y'],
    ['https://huggingface.co/a/b/blob/main/x/model.json', 'a/b', 'main', 'x'],
    ['https://huggingface.co/a/b/resolve/1234/gpt.safetensors', 'a/b', '1234', ''],
  ])('"%s" is %s at %s, folder "%s"', (text, repo, revision, folder) => {
    expect(readHubPlace(text)).toEqual({ repo, revision, folder });
  });

  test('has the revision that is asked for beside its name', () => {
    expect(readHubPlace('a/b@v1', 'v2').revision).toBe('v2');
  });

  test.each([
    '',
    'gpt2',
    'a/',
    '/b',
    'a b/c',
    'a/b/../../c',
    'https://huggingface.co/a',
    'https://huggingface.co/a/b%zz',
    '../x',
    'a/b--c',
  ])('"%s" names none', (text) => {
    expect(() => readHubPlace(text)).toThrow(OptionError);
    expect(() => readHubPlace(text)).toThrow(
      /names no repository of the hub: expected owner\/name/,
    );
  });
});

test('an address is the hub’s or that of the mirror that is asked, and no other', () => {
  const text = 'https://hf-mirror.com/a/b/blob/main/x/model.json';
  expect(() => readHubPlace(text)).toThrow(OptionError);
  expect(() => readHubPlace(text)).toThrow(/begins with https:\/\/huggingface\.co/);
  const expected = { repo: 'a/b', revision: 'main', folder: 'x' };
  expect(readHubPlace(text, undefined, 'https://hf-mirror.com')).toEqual(expected);
  expect(readHubPlace('https://hf.co/a/b', undefined, 'https://hf-mirror.com').repo).toBe('a/b');
});

test('addresses keep slashes of folders, and nothing else that could lead elsewhere', () => {
  const place = { repo: 'a/b', revision: 'refs/pr/1', folder: '' };
  expect(fileAddress('https://hub', { ...place, file: 'x y/m?.json' }).href).toBe(
    'https://hub/a/b/resolve/refs%2Fpr%2F1/x%20y/m%3F.json',
  );
  expect(listAddress('https://hub/mirror', place).href).toBe(
    'https://hub/mirror/api/models/a/b/revision/refs%2Fpr%2F1?blobs=true',
  );
});
