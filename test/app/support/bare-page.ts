/** A page without looks: what its tests call in the browser. The worker is the app's own. */
import {
  connectWorker,
  type DrawEvent,
  type DrawRequest,
  type ModelEstimate,
  type ModelSource,
  type ModelView,
  type WorkerClient,
} from '../../../src/web/worker/index.ts';

/** An event of a picture, as JSON; `picture` as its size and how many of its pixels are not transparent. */
export interface SeenEvent {
  readonly type: string;
  readonly done?: number;
  readonly tokens?: readonly number[];
  readonly rgba?: readonly number[];
  readonly passes?: number | undefined;
  readonly text?: string;
}

/** How a call ended that failed. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly problem?: string;
}

export interface Loaded {
  readonly view: ModelView;
  readonly notes: readonly string[];
  /** Bytes that were there when the download began; undefined where nothing had to come. */
  readonly began: number | undefined;
}

export interface BareApi {
  readonly client: Promise<WorkerClient>;
  load(source: ModelSource): Promise<ModelView>;
  /** Of the files that were picked. */
  loadFiles(): Promise<ModelView>;
  estimateFiles(): Promise<ModelEstimate>;
  /** Loads, and tells where the download began, its notes, and the model. */
  loadNoting(source: ModelSource): Promise<Loaded>;
  /** @param stopAt Type of the event at which the request is aborted. */
  draw(request: DrawRequest, stopAt?: string): Promise<SeenEvent[]>;
  /** Loses the device when it has begun. */
  drawAndLose(request: DrawRequest): Promise<SeenEvent[]>;
  /** What went wrong. */
  failure(work: () => Promise<unknown>): Promise<Failure | undefined>;
}

function seen(event: DrawEvent): SeenEvent {
  const { type } = event;
  return {
    type,
    ...('done' in event && { done: event.done }),
    ...('passes' in event && { passes: event.passes }),
    ...('text' in event && { text: event.text }),
    ...('tokens' in event && event.tokens && { tokens: Array.from(event.tokens) }),
    ...('picture' in event && event.picture && { rgba: Array.from(event.picture.rgba) }),
  };
}

/** `?plain-worker` for another worker than the app's. */
const script = `${location.search.slice(1) || 'worker'}.js`;
const client = connectWorker(new Worker(script, { type: 'module' }));

const pickedFiles = (): File[] => [...(document.querySelector('input')?.files ?? [])];

const api: BareApi = {
  client,
  load: async (source) => (await client).load(source),
  loadFiles: () => api.load({ files: pickedFiles() }),
  estimateFiles: async () => (await client).estimate({ files: pickedFiles() }),
  async loadNoting(source) {
    const notes: string[] = [];
    let began: number | undefined;
    const view = await (await client).load(source, {
      onNote: (note) => notes.push(note),
      onProgress({ phase, done }) {
        if (phase === 'download') began ??= done;
      },
    });
    return { view, notes, began };
  },
  async draw(request, stopAt) {
    const events: SeenEvent[] = [];
    const controller = new AbortController();
    for await (const event of (await client).draw(request, { signal: controller.signal })) {
      events.push(seen(event));
      if (event.type === stopAt) controller.abort(new Error('stopped by the test'));
    }
    return events;
  },
  async drawAndLose(request) {
    const events: SeenEvent[] = [];
    for await (const event of (await client).draw(request)) {
      events.push(seen(event));
      if (event.type === 'started') await (await client).loseDevice();
    }
    return events;
  },
  async failure(work) {
    try {
      await work();
      return undefined;
    } catch (error) {
      const { name, message } = error as Error;
      const problem = Object(error).problem;
      return { name, message, ...(problem !== undefined && { problem: String(problem) }) };
    }
  },
};
Object.assign(globalThis, { api });
