/** How Vite makes the page. */
import { join } from 'node:path';
import type { InlineConfig } from 'vite';
import { packageFolder } from '../../src/node/files.ts';
import { contentPolicy } from './content-policy.ts';
import { precache } from './precache.ts';
import { CLASS_MODEL, shippedClasses, shippedModels, TEXT_MODEL } from './shipped-models.ts';

/** The script that keeps the page usable offline; its name must not change with its text. */
export const SERVICE_WORKER = 'service-worker';

/** Modules that are split off for others are not split off here. */
const QUIET = { checks: { ineffectiveDynamicImport: false, bundlerTimings: false } };

/** Of the built page: a folder of files for any server, at any address. */
export function buildConfig(outDir: string): InlineConfig {
  const root = join(packageFolder(), 'web');
  return {
    ...common(root, true),
    plugins: [contentPolicy(), shippedModels(), precache(SERVICE_WORKER)],
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      rolldownOptions: {
        ...QUIET,
        input: {
          page: join(root, 'index.html'),
          [SERVICE_WORKER]: join(root, 'service-worker.ts'),
        },
        output: {
          entryFileNames: ({ name }) =>
            name === SERVICE_WORKER ? `${name}.js` : 'assets/[name]-[hash].js',
        },
      },
    },
  };
}

/** Of the page under development: as it stands in `web/`, new at every change. */
export function developmentConfig(): InlineConfig {
  const folder = packageFolder();
  return {
    ...common(join(folder, 'web'), false),
    plugins: [shippedModels()],
    server: { fs: { allow: [folder] } },
  };
}

function common(root: string, isBuilt: boolean): InlineConfig {
  return {
    configFile: false,
    root,
    base: './',
    logLevel: 'warn',
    clearScreen: false,
    // Vite's own word for it depends on NODE_ENV.
    define: {
      MODEL_URL: JSON.stringify(CLASS_MODEL.path),
      TEXT_MODEL_URL: JSON.stringify(TEXT_MODEL.path),
      MODEL_CLASSES: JSON.stringify(shippedClasses()),
      IS_BUILT: `${isBuilt}`,
    },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    worker: { format: 'es', rolldownOptions: QUIET },
  };
}
