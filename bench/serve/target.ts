/** What a load is put on: an engine, or a server over HTTP before the same engine. */
import { createEngine } from '../../src/engine/index.ts';
import type { Model } from '../../src/index.ts';
import type { ModelJson } from '../../src/models/model-json.ts';
import type { BackendLoad } from '../../src/serve/load.ts';
import { classOf, SEED } from '../model/batch.ts';

/** What was done so far. */
export type Counts = Pick<BackendLoad, 'passes' | 'tokens' | 'rowsComputed' | 'rowsFull'> & {
  /** JavaScript time spent deciding who runs; only an engine in this process tells it. */
  readonly scheduleMs?: number;
};

export interface Target {
  /**
   * Draws image `index` with the model's settings.
   * @param window 1 step by step; `auto` as a server does.
   * @returns Its pixels, as they come.
   */
  draw(index: number, window: 1 | 'auto'): Promise<ArrayLike<number>>;
  counts(): Counts;
  /** Frees what it opened. */
  close(): Promise<void>;
}

/** Class and seed of an image, the same on every target. */
export const imageOf = (
  index: number,
  { config }: { readonly config: Pick<ModelJson, 'gpt'> },
): { readonly classIndex: number; readonly seed: number } => ({
  classIndex: classOf(index, config.gpt.numClasses),
  seed: SEED + index,
});

/** The engine itself, in this process, with slots for as many guided images, ready for all of them. */
export async function engineTarget(model: Model, images: number): Promise<Target> {
  const engine = await createEngine(model, { capacity: 2 * images });
  for (let rows = 2; rows <= 2 * images; rows *= 2) await engine.prepare(rows);
  return {
    async draw(index, window) {
      for await (const event of engine.submit({ ...imageOf(index, model), window })) {
        if (event.type === 'image' && event.picture) return event.picture.rgba;
      }
      throw new Error('the engine gave no picture');
    },
    counts: () => ({ ...engine.stats, passes: engine.stats.steps }),
    close: async () => engine.destroy(),
  };
}
