/** Seeded test data. */

/** mulberry32: a small seeded generator of floats in [0, 1). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `length` float32 values from a normal distribution. */
export function normal(length: number, seed: number, std = 1, mean = 0): Float32Array<ArrayBuffer> {
  const next = uniform(seed);
  return Float32Array.from({ length }, () => {
    const r = Math.sqrt(-2 * Math.log(1 - next()));
    return mean + std * r * Math.cos(2 * Math.PI * next());
  });
}
