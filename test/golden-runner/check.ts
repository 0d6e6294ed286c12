/** Judging one tensor. */
import { difference } from '../oracle/compare.ts';
import type { GoldenCase } from './case.ts';
import { tensorOf } from './case.ts';

export interface Check {
  readonly tensor: string;
  readonly maxAbsError: number;
  readonly nmse: number;
  readonly tolerance: number;
  readonly pass: boolean;
}

/** Compares a float tensor with the expected one of that name, by its tolerance. */
export function checkFloats(golden: GoldenCase, tensor: string, got: ArrayLike<number>): Check {
  return judge(tensor, got, tensorOf(golden, tensor).data, golden.atol(tensor));
}

/** Compares an integer tensor, which must match exactly or within `tolerance`. */
export function checkIntegers(
  golden: GoldenCase,
  tensor: string,
  got: ArrayLike<number>,
  tolerance = 0,
): Check {
  return judge(tensor, got, tensorOf(golden, tensor).data, tolerance);
}

/** Compares any two arrays. A wrong length or a value that is not finite fails with infinity. */
export function judge(
  tensor: string,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): Check {
  let [maxAbsError, nmse] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  if (got.length === expected.length && Array.from(got).every(Number.isFinite)) {
    const d = difference(got, expected);
    [maxAbsError, nmse] = [d.maxError, d.nmse];
  }
  return { tensor, maxAbsError, nmse, tolerance, pass: maxAbsError <= tolerance };
}
