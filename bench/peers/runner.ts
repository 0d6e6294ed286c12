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

/** What a process says of a task that is ready. */
export type Ready = Pick<Runner, 'version' | 'adapter' | 'software'>;

export type Ask = 'outputs' | 'sample';
export type Answer<A extends Ask> = Awaited<ReturnType<Runner[A]>>;

/** Serves a runner to the process that forked this one; the setup is the first argument, as JSON. */
export async function serve(open: (setup: Setup) => Promise<Runner>): Promise<void> {
  // Answers carry typed arrays; a parent that is gone needs no runner.
  process.on('disconnect', () => process.exit());
  const reply = (work: () => Promise<unknown>): Promise<unknown> =>
    work().then(
      (answer) => process.send?.({ answer }),
      (error) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
    );
  await reply(async () => {
    const runner = await open(JSON.parse(process.argv[2] ?? '{}') as Setup);
    process.on('message', (ask: Ask) => reply(() => runner[ask]()));
    const { version, adapter, software } = runner;
    return { version, adapter, software } satisfies Ready;
  });
}
