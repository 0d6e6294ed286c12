/** What a soak asks for, of models of 4x4 tokens and 10 classes: guided or not, filtered or not, with given tokens or none. */
import type { ImageRequest } from '../../src/index.ts';

export const REQUESTS: readonly ImageRequest[] = [
  { classIndex: 1, seed: 1 },
  { classIndex: 4, seed: 2, cfgScale: 1, temperature: 6 },
  { classIndex: 7, seed: 3, cfgScale: 2, cfgInterval: 5, temperature: 20 },
  { classIndex: 7, seed: 4, cfgScale: 1, topK: 20, previewEvery: 7 },
  { classIndex: 0, seed: 5, topK: 9, topP: 0.8, temperature: 0.7 },
  { classIndex: 2, greedy: true, gridEvery: 3 },
  { classIndex: 10, seed: 6, cfgScale: 1 },
  { classIndex: 5, seed: 7, prefix: [3, 250, 7, 7, 19] },
  { classIndex: 6, seed: 8, cfgScale: 1, prefix: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10] },
  { classIndex: 9, seed: 9, prefix: Array.from({ length: 16 }, (_, i) => 16 * i) },
].map((request, i) => ({ ...request, pixels: i % 3 === 0 }));
