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

/** Largest squared error of the logits of one step over their squares in the precision `fast`. */
const FAST_NMSE = 1e-6;

/**
 * Compares logits, [steps, vocabSize]: in `exact` by the case's tolerance, in `fast` step by step by
 * their normalised squared error, of which the largest is told. Guidance by s, which makes
 * s cond + (1 - s) uncond, adds the squares of the errors of both s^2 and (1 - s)^2 times.
 */
export function judgeLogits(
  tensor: string,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  { atol, vocabSize, fast, scale = 1 }: LogitsRule,
): Check {
  const check = judge(tensor, got, expected, atol);
  if (!fast || !Number.isFinite(check.nmse)) return check;
  const [ours, theirs] = [Float32Array.from(got), Float32Array.from(expected)];
  const steps = Array.from({ length: ours.length / vocabSize }, (_, step) => {
    const [from, to] = [step * vocabSize, (step + 1) * vocabSize];
    return difference(ours.subarray(from, to), theirs.subarray(from, to)).nmse;
  });
  const nmse = Math.max(...steps);
  const tolerance = FAST_NMSE * (scale ** 2 + (scale - 1) ** 2);
  return { ...check, nmse, tolerance, pass: nmse < tolerance };
}

export interface LogitsRule {
  /** Largest absolute difference in `exact`. */
  readonly atol: number;
  readonly vocabSize: number;
  readonly fast: boolean;
  /** Guidance that the logits were made with. Default 1, none. */
  readonly scale?: number;
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

/** Share of pixel values that may be more than 1 of 255 off. */
const FAR_SHARE = 0.001;

/** Compares 8-bit values, nearly all of which must be within 1 of the expected ones. */
export function checkPixels(golden: GoldenCase, tensor: string, got: ArrayLike<number>): Check {
  const check = checkIntegers(golden, tensor, got, 1);
  const wanted = tensorOf(golden, tensor).data;
  const far = wanted.filter((value, i) => !(Math.abs(value - (got[i] ?? Infinity)) <= 1)).length;
  return { ...check, pass: got.length === wanted.length && far <= FAR_SHARE * wanted.length };
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
