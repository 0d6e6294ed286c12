/** One tab at a time writes a model; the others wait for what it fetches. */

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called when another tab or worker has the lock. */
  onWait(): void;
}

const NAME = 'llamagen-webgpu/';

/** Runs `work` with the lock of that name, or not at all while another tab or worker has it. */
export async function ifUnlocked(name: string, work: () => Promise<void>): Promise<void> {
  const locks: LockManager | undefined = navigator.locks;
  if (!locks) return work();
  await locks.request(NAME + name, { ifAvailable: true }, async (lock) => {
    if (lock) await work();
  });
}

/**
 * Runs `work` while no other page or worker of this origin holds the lock of that name. It is given up
 * when the tab closes. Where there are no Web Locks, which every browser with WebGPU has, nobody waits.
 */
export async function withLock<T>(
  name: string,
  { signal, onWait }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const locks: LockManager | undefined = navigator.locks;
  if (!locks) return work();
  const tried = await locks.request(NAME + name, { ifAvailable: true }, async (lock) =>
    lock ? { result: await work() } : undefined,
  );
  if (tried) return tried.result;
  onWait();
  return locks.request(NAME + name, signal ? { signal } : {}, work);
}
