/** The script of the worker. */
import { serveWorker } from '../../src/web/worker/index.ts';

serveWorker();
