/** What a browser app gets from the entry points that promise to be browser-safe. */
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { ROOT } from '../support/sources.ts';

/** Most bytes of a minified bundle of everything an entry point exports. */
const MAX_BYTES = {
  'kernels/index.ts': 152_500,
  // A sixth is what cleans prompts: names of characters of HTML, and tables of old encodings.
  'src/index.ts': 372_000,
  // A quarter is what reads and converts checkpoints of torch.save, which the store imports at need.
  'src/web/index.ts': 566_000,
  'src/profile.ts': 27_000,
  'src/web/tune.ts': 162_000,
  'src/web/worker/index.ts': 563_000,
  'src/weights/checkpoint.ts': 100_000,
};

test.each(Object.entries(MAX_BYTES))(
  '%s bundles for browsers, below %i bytes',
  async (entry, most) => {
    const { metafile, outputFiles } = await build({
      absWorkingDir: ROOT,
      entryPoints: [entry],
      bundle: true,
      minify: true,
      platform: 'browser',
      format: 'esm',
      write: false,
      metafile: true,
      logLevel: 'silent',
    });
    const inputs = Object.keys(metafile.inputs);
    expect(inputs).toContain(entry);
    const foreign = inputs.filter(
      (path) => !/^(kernels|src)\//.test(path) && !path.startsWith('node_modules/'),
    );
    expect(foreign).toEqual([]);
    expect(inputs.filter((path) => /^src\/(node|cli|serve)\//.test(path))).toEqual([]);
    const imported = Object.values(metafile.inputs).flatMap(({ imports }) => imports);
    expect(imported.filter(({ external }) => external)).toEqual([]);
    const size = outputFiles[0]!.contents.byteLength;
    expect(size).toBeLessThan(most);
  },
);
