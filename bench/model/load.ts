/** Time and host memory of loading a model. */
import { loadModel } from '../../src/index.ts';
import type { ModelFiles } from '../../src/weights/source.ts';
import { repeat, type Timing, timing } from '../repeat.ts';

export interface LoadResult {
  readonly loadMs: Timing;
  /**
   * Bytes that the process grew by, at most, during the first load, from when the device was open. A
   * software adapter's "GPU" memory is part of it.
   */
  readonly peakHostBytes: number;
}

const SAMPLE_MS = 2;

/** Loads and frees the model again and again. The process must not have loaded one before. */
export async function measureLoad(
  device: GPUDevice,
  files: ModelFiles,
  runs: number,
): Promise<LoadResult> {
  const before = process.memoryUsage.rss();
  let peak = before;
  const sample = (): void => {
    peak = Math.max(peak, process.memoryUsage.rss());
  };
  const times = await repeat(runs, async (index) => {
    const timer = index === 0 ? setInterval(sample, SAMPLE_MS) : undefined;
    // Called right after each tensor was read, converted and handed over.
    const onProgress = index === 0 ? sample : () => {};
    const model = await loadModel(device, files, { onProgress });
    if (index === 0) sample();
    clearInterval(timer);
    model.destroy();
    return model.timings.loadMs;
  });
  return { loadMs: timing(times), peakHostBytes: peak - before };
}
