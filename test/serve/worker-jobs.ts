/** Models and jobs of the tests of workers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend, ImageJob, JobEvent } from '../../src/serve/backend.ts';
import { writeTinyFolder } from '../support/tiny-model.ts';

/** A temporary folder, and what removes it. */
export function tempFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'llamagen-serve-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A model whose images take long enough to be interrupted. */
export function writeSlowModel(folder: string): void {
  writeTinyFolder(folder, { gpt: { block_size: 144 } });
}

export const jobOf = (seed: number, more: Partial<ImageJob> = {}): ImageJob => ({
  model: 'tiny',
  condition: { classIndex: seed % 4 },
  seed,
  ...more,
});

interface Following {
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: JobEvent) => void;
}

/** All events of a job. */
export async function eventsOf(
  backend: Backend,
  job: ImageJob,
  { signal = new AbortController().signal, onEvent }: Following = {},
): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  for await (const event of backend.submit(job, { signal })) {
    events.push(event);
    onEvent?.(event);
  }
  return events;
}

/** The pixels of a job. */
export async function pixelsOf(backend: Backend, job: ImageJob): Promise<Uint8Array> {
  return imageIn(await eventsOf(backend, job)).picture.rgba;
}

export function imageIn(events: readonly JobEvent[]): Extract<JobEvent, { type: 'image' }> {
  const image = events.find((event) => event.type === 'image');
  if (!image) throw new Error(`no image among ${events.map(({ type }) => type).join(' ')}`);
  return image;
}

/** Resolves when `holds` does. */
export async function until(holds: () => boolean | Promise<boolean>, ms = 60_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`it did not come to be within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
