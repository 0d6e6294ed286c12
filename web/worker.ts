/** The worker of the page: models are loaded and pictures are drawn here. */
import { serveWorker } from '../src/web/worker/index.ts';

serveWorker();
