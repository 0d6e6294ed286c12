/** Steps of an image that a profiler looks into: in the middles of as many equal parts. Pure. */
import type { Placed } from './placed.ts';

const PROFILED_STEPS = 4;

const stepsOf = (blockSize: number): number[] =>
  Array.from({ length: PROFILED_STEPS }, (_, i) =>
    Math.floor(((i + 0.5) * blockSize) / PROFILED_STEPS),
  );

/** Passes of `count` positions until a sequence comes to the next of them, or is full. */
export function passesToProfiled(placed: Placed, count: number, blockSize: number): number {
  const { expected } = placed.at;
  const next = stepsOf(blockSize).find((step) => step > expected) ?? blockSize;
  return Math.ceil((next - expected) / placed.rate(count));
}

/** Whether a sequence has just come to one of them; it is then noted as looked into. */
export function comesToProfiled(placed: Placed, blockSize: number): boolean {
  const behind = stepsOf(blockSize).filter((step) => step <= placed.at.expected).length;
  const isDue = behind > placed.profiled;
  placed.profiled = behind;
  return isDue;
}
