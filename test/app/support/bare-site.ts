/** The bare page and the app's worker, bundled and served with models of tests. */
import { serveBuilt } from './built-site.ts';
import type { Mount, StaticServer } from './static-server.ts';

const SCRIPTS = {
  page: 'test/app/support/bare-page.ts',
  worker: 'web/worker.ts',
  'plain-worker': 'test/app/support/plain-worker.ts',
};

const PAGE =
  '<!doctype html><title>test</title><input id="files" type="file" multiple><script type="module" src="page.js"></script>';

/** @param mounts More to serve, models for example. `/weights/` is there. */
export const serveBarePage = (mounts?: Readonly<Record<string, Mount>>): Promise<StaticServer> =>
  serveBuilt(PAGE, SCRIPTS, mounts);
