/** How a computed tensor is judged against its oracle. */

export interface Difference {
  /** Sum of squared differences over sum of squared expected values. */
  readonly nmse: number;
  readonly maxError: number;
  /** Flat index of the largest difference. */
  readonly at: number;
}

export interface Tolerance {
  readonly nmse: number;
  /** Largest allowed absolute difference. */
  readonly max: number;
}

/** Throws when a value is not finite where the expected one is. */
export function difference(got: ArrayLike<number>, expected: ArrayLike<number>): Difference {
  if (got.length !== expected.length) {
    throw new Error(`expected ${expected.length} values, got ${got.length}`);
  }
  let error = 0;
  let power = 0;
  let maxError = 0;
  let at = 0;
  for (let i = 0; i < got.length; i++) {
    const g = got[i] as number;
    const e = expected[i] as number;
    if (!Number.isFinite(g) && g !== e) throw new Error(`value ${i} is ${g}, expected ${e}`);
    if (g === e) {
      power += e * e;
      continue;
    }
    const d = Math.abs(g - e);
    error += d * d;
    power += e * e;
    if (d > maxError) {
      maxError = d;
      at = i;
    }
  }
  return { nmse: error === 0 ? 0 : error / Math.max(power, Number.MIN_VALUE), maxError, at };
}

/** Throws with the worst place unless both measures are within the tolerance. */
export function expectClose(
  name: string,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
): void {
  const { nmse, maxError, at } = difference(got, expected);
  if (!(nmse <= tolerance.nmse) || !(maxError <= tolerance.max)) {
    throw new Error(
      `${name}: nmse ${nmse.toExponential(2)} (allowed ${tolerance.nmse}), ` +
        `max error ${maxError.toExponential(2)} (allowed ${tolerance.max}) at ${at}: ` +
        `got ${got[at]}, expected ${expected[at]}`,
    );
  }
}
