/** What the hub's list of files is read as, and what comes in place of files. */
import { describe, expect, test } from 'vitest';
import { gitPrefix, isGitHash, otherContent } from '../../src/hub/content.ts';
import { readListing } from '../../src/hub/listing.ts';

const SHA256 = 'a'.repeat(64);
const GIT = 'b'.repeat(40);

test('a list tells sizes and hashes, of LFS by their content', () => {
  const siblings = [
    { rfilename: 'model.json', size: 12, blobId: GIT },
    { rfilename: 'x/gpt.safetensors', size: 99, blobId: GIT, lfs: { sha256: SHA256, size: 100 } },
    { rfilename: 'odd.bin', size: 5, blobId: 'no hash' },
  ];
  expect(readListing({ sha: 'c1', siblings }, 'hub')).toEqual({
    commit: 'c1',
    files: [
      { file: 'model.json', bytes: 12, gitHash: GIT },
      { file: 'x/gpt.safetensors', bytes: 100, sha256: SHA256 },
      { file: 'odd.bin', bytes: 5, gitHash: undefined },
    ],
  });
});

test.each([
  null,
  [],
  { sha: 'c1' },
  { sha: 1, siblings: [] },
  { sha: 'c1', siblings: [null] },
  { sha: 'c1', siblings: [{ rfilename: 'a' }] },
  { sha: 'c1', siblings: [{ rfilename: 'a', size: -1 }] },
  { sha: 'c1', siblings: [{ rfilename: 1, size: 1 }] },
])('%j is no list', (json) => {
  expect(() => readListing(json, 'https://hub')).toThrow(
    /^https:\/\/hub: does not answer like a model hub: no list of files$/,
  );
});

describe('other content', () => {
  const of = (text: string, name = 'gpt.safetensors') =>
    otherContent(name, new TextEncoder().encode(text));

  test.each([
    ['version https://git-lfs.github.com/spec/v1\noid sha256:', 'pointer'],
    ['<!DOCTYPE html><html>', 'page'],
    ['\n <html lang=en>', 'page'],
    ['{"format":"llamagen-webgpu/1"}', undefined],
    ['', undefined],
  ])('%j is %s', (text, what) => expect(of(text)).toBe(what));

  test('may be a page where a page was asked for', () => {
    expect(of('<html>', 'index.html')).toBeUndefined();
  });
});

test('hashes of git are of the length and the content', () => {
  expect(isGitHash(GIT)).toBe(true);
  expect(isGitHash(SHA256)).toBe(false);
  expect(gitPrefix(12)).toBe('blob 12\0');
});
