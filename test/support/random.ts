/** Seeded test data. */
import { uniform } from '../../src/gpu/random.ts';

export { uniform };

/** Values that are made once and repeated: a prime, so that no two rows of a matrix are alike. */
const PERIOD = 262139;

/** `length` float32 values from a normal distribution. */
export function normal(length: number, seed: number, std = 1, mean = 0): Float32Array<ArrayBuffer> {
  const next = uniform(seed);
  const values = new Float32Array(length);
  for (let i = 0; i < Math.min(length, PERIOD); i++) {
    const r = Math.sqrt(-2 * Math.log(1 - next()));
    values[i] = mean + std * r * Math.cos(2 * Math.PI * next());
  }
  for (let at = PERIOD; at < length; at *= 2) values.copyWithin(at, 0, at);
  return values;
}
