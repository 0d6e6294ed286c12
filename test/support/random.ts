/** Seeded test data. */
import { uniform } from '../../src/gpu/random.ts';

export { uniform };

/** `length` float32 values from a normal distribution. */
export function normal(length: number, seed: number, std = 1, mean = 0): Float32Array<ArrayBuffer> {
  const next = uniform(seed);
  return Float32Array.from({ length }, () => {
    const r = Math.sqrt(-2 * Math.log(1 - next()));
    return mean + std * r * Math.cos(2 * Math.PI * next());
  });
}
