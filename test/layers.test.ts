/** The direction of imports, and where the outside world may be named. See docs/architecture.md. */
import { describe, expect, test } from 'vitest';
import { sourceFiles } from './support/sources.ts';

/** Lowest first. A file imports its own layer or a lower one. */
const LAYERS: readonly (readonly string[])[] = [
  ['kernels/'],
  ['src/errors.ts', 'src/near-names.ts', 'src/options.ts', 'src/version.ts', 'src/wire-error.ts'],
  ['src/weights/', 'src/text/', 'src/hub/'],
  ['src/graph/'],
  ['src/gpu/'],
  ['src/ops/'],
  ['src/models/'],
  ['src/load/'],
  ['src/engine/'],
  ['src/generate/', 'src/tune/'],
  ['src/catalogue/', 'src/convert/', 'src/picture/'],
  ['src/index.ts', 'src/profile.ts', 'src/node/', 'src/web/'],
  ['src/cli/', 'src/serve/'],
  ['bench/', 'web/', 'test/', 'scripts/'],
];

const files = sourceFiles('kernels', 'src', 'bench', 'web', 'test', 'scripts');

const isUnder = (path: string, prefixes: readonly string[]): boolean =>
  prefixes.some((prefix) => path.startsWith(prefix));
const layerOf = (path: string): number => LAYERS.findIndex((prefixes) => isUnder(path, prefixes));

/** Lines `file: import` for every import for which `bad` holds. */
const found = (bad: (path: string, name: string) => boolean): string[] =>
  files.flatMap(({ path, local, packages }) =>
    [...local, ...packages].filter((name) => bad(path, name)).map((name) => `${path}: ${name}`),
  );

/** Paths of files outside `allowed` whose text matches. */
const naming = (word: RegExp, allowed: readonly string[]): string[] =>
  files.filter(({ path, text }) => !isUnder(path, allowed) && word.test(text)).map((f) => f.path);

test('there are files to look at', () => {
  expect(files.length).toBeGreaterThan(30);
  expect(files.find(({ path }) => path === 'src/node/device.ts')?.packages).toContain('webgpu');
});

test('every file belongs to a layer', () => {
  expect(files.map(({ path }) => path).filter((path) => layerOf(path) < 0)).toEqual([]);
});

describe('imports', () => {
  test('go to the same layer or a lower one', () => {
    const up = found((path, name) => layerOf(name) > layerOf(path));
    expect(up).toEqual([]);
  });

  test('of kernels are wgsl-preprocessor and kernels', () => {
    const other = found(
      (path, name) =>
        path.startsWith('kernels/') &&
        !name.startsWith('kernels/') &&
        name !== 'wgsl-preprocessor/wgsl-preprocessor.js',
    );
    expect(other).toEqual([]);
  });

  test('of the entry points for Node and the web do not cross', () => {
    const crossing = found(
      (path, name) =>
        (path.startsWith('src/web/') && name.startsWith('src/node/')) ||
        (path.startsWith('src/node/') && name.startsWith('src/web/')) ||
        (path === 'src/index.ts' && isUnder(name, ['src/node/', 'src/web/'])),
    );
    expect(crossing).toEqual([]);
  });
});

describe('only', () => {
  const NODE = ['src/node/', 'src/cli/', 'src/serve/', 'bench/', 'test/', 'scripts/'];
  const WEB = ['src/web/', 'web/'];

  test('the Node part imports node: modules and webgpu', () => {
    const outside = found(
      (path, name) => !isUnder(path, NODE) && (name.startsWith('node:') || name === 'webgpu'),
    );
    expect(outside).toEqual([]);
  });

  test('the Node part names process and Buffer', () => {
    expect(naming(/\bprocess\.|\bBuffer\./, NODE)).toEqual([]);
  });

  test('the web part names navigator and document', () => {
    expect(naming(/\bnavigator\.|\bdocument\./, [...WEB, 'test/', 'bench/'])).toEqual([]);
  });

  test('the layers that run things name a device', () => {
    const blind = files.filter(({ path }) =>
      isUnder(path, ['src/weights/', 'src/text/', 'src/graph/', 'src/models/']),
    );
    const named = blind.filter(({ text }) => /\bGPU(Device|Buffer|Adapter|Queue)\b/.test(text));
    expect(named.map(({ path }) => path)).toEqual([]);
  });
});
