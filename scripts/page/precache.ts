/** Tells the service worker what the page consists of, so that it works offline after one visit. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import type { Plugin } from 'vite';

/** What stands for the list in the script. */
const PLACE = /\bPRECACHE\b/;

/**
 * Parts that most visitors never need, by the module they are split off for: kept once they are used.
 * Reading official checkpoints takes as much as drawing does.
 */
const LATER = ['given-checkpoints'] as const;

/** @param script Name of the service worker, without `.js`. */
export function precache(script: string): Plugin {
  let folder = '';
  return {
    name: 'precache',
    apply: 'build',
    configResolved({ root, build }) {
      folder = resolve(root, build.outDir);
    },
    // What a page consists of is known when all is written: workers and public files too.
    closeBundle: {
      order: 'post',
      sequential: true,
      handler() {
        const path = join(folder, `${script}.js`);
        const text = readFileSync(path, 'utf8');
        if (!PLACE.test(text)) throw new Error(`${path} has no place for the list of files`);
        const files = readdirSync(folder, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
          .map((file) => file.split(sep).join('/'))
          // Models are kept elsewhere, verified and by the megabyte.
          .filter((file) => file !== `${script}.js` && !file.startsWith('models/'))
          .sort();
        const isLater = (file: string): boolean =>
          LATER.some((name) => file.startsWith(`assets/${name}-`));
        if (files.filter(isLater).length !== LATER.length) {
          throw new Error(`${LATER.join(', ')}: expected a file each among ${files.join(', ')}`);
        }
        const hash = createHash('sha256');
        for (const file of files) hash.update(file).update(readFileSync(join(folder, file)));
        const list = [
          hash.digest('hex').slice(0, 16),
          './',
          ...files.filter((file) => !isLater(file)),
        ];
        writeFileSync(
          path,
          text.replace(PLACE, () => JSON.stringify(list)),
        );
      },
    },
  };
}
