/** One runtime on one task in a process of its own, which another process asks for outputs and times. */
import type { Task } from './result.ts';

/** What a process is started with. */
export interface Setup {
  readonly task: Task;
  /** Rows and columns of the grid of codes that the image decoders are given. */
  readonly side: number;
  /** Keep bounds checks in shaders, where the runtime lets one say so. */
  readonly robust: boolean;
  /** A way of the runtime to do the work. */
  readonly way: string;
}

export interface Outputs {
  readonly values: Float32Array;
  /** Milliseconds of the image, or of the first step. */
  readonly ms: number;
}

/** A task that is ready to run: weights are loaded. */
export interface Runner {
  readonly version: string;
  /** Where it runs. */
  readonly adapter: string;
  readonly software: boolean;
  /** The first run: what all runtimes must agree on, and its time with caches cold. */
  outputs(): Promise<Outputs>;
  /** Does the work once, waits for it, and says how many milliseconds a step or an image took. */
  sample(): Promise<number>;
}

export type Ask = 'outputs' | 'sample';

/** From a runner's process: it is ready, an answer, or an error. */
export type Message =
  | { readonly ready: Pick<Runner, 'version' | 'adapter' | 'software'> }
  | { readonly outputs: Outputs }
  | { readonly sample: number }
  | { readonly error: string };

/** Serves a runner to the process that forked this one; the setup is the first argument, as JSON. */
export async function serve(open: (setup: Setup) => Promise<Runner>): Promise<void> {
  const send = (message: Message): void => void process.send?.(message);
  const failed = (error: unknown): void =>
    send({ error: error instanceof Error ? error.message : String(error) });
  // Answers carry typed arrays; a parent that is gone needs no runner.
  process.on('disconnect', () => process.exit());
  try {
    const runner = await open(JSON.parse(process.argv[2] ?? '{}') as Setup);
    process.on('message', (ask: Ask) => {
      const answer =
        ask === 'outputs'
          ? runner.outputs().then((outputs) => send({ outputs }))
          : runner.sample().then((sample) => send({ sample }));
      answer.catch(failed);
    });
    const { version, adapter, software } = runner;
    send({ ready: { version, adapter, software } });
  } catch (error) {
    failed(error);
  }
}
