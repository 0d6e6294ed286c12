/** What a comparison of runtimes says. Pure: no device, no process. */
import type { Timing } from '../repeat.ts';

/** Work that every runtime is given with the same weights and the same inputs. */
export const TASKS = ['decode-2', 'decode-16', 'vq-16'] as const;
export type Task = (typeof TASKS)[number];

/** Rows of a decoding task; guided, so half as many images. */
export const rowsOf = (task: Exclude<Task, 'vq-16'>): number => (task === 'decode-2' ? 2 : 16);

/** Outputs that are further apart than this are not the same work. */
export const MOST_NMSE = 1e-4;

/** One runtime on one task: its times, or why it has none. */
export interface PeerResult {
  readonly task: Task;
  readonly runtime: string;
  readonly version?: string;
  /** What of the runtime did the work. */
  readonly provider: string;
  /** Where it ran; `CPU` when no WebGPU is involved. */
  readonly adapter?: string;
  /** Whether shaders kept their bounds checks; undefined where there are none or nobody says. */
  readonly robust?: boolean;
  /** Milliseconds of a decoding step or of a decoded image. Absent when there is a `reason`. */
  readonly ms?: Timing;
  /** How far its outputs are from ours. Absent when it made none. */
  readonly agrees?: { readonly metric: 'nmse'; readonly value: number };
  /** How many times longer it takes than ours with the same bounds checks, by the fastest runs. */
  readonly ratio?: number;
  /** Why there are no times. */
  readonly reason?: string;
}

/** Squared differences over the squares of the reference; NaN when a value is not finite. */
export function nmse(values: Float32Array, reference: Float32Array): number {
  if (values.length !== reference.length) {
    throw new RangeError(`expected ${reference.length} values, got ${values.length}`);
  }
  let [difference, squares] = [0, 0];
  for (const [i, expected] of reference.entries()) {
    difference += ((values[i] ?? Number.NaN) - expected) ** 2;
    squares += expected ** 2;
  }
  return difference / squares;
}

/** Why outputs cannot be compared with ours as the same work, or undefined. */
export function refusal(value: number): string | undefined {
  if (value <= MOST_NMSE) return undefined;
  return `its outputs are not ours: NMSE ${value.toExponential(1)}, at most ${MOST_NMSE.toExponential(0)} is allowed`;
}

/** Adds each row's ratio to ours on the same task: robust to robust, everything else to unchecked. */
export function withRatios(results: readonly PeerResult[], ours: string): PeerResult[] {
  return results.map((row) => {
    const same = (other: PeerResult): boolean =>
      other.runtime === ours &&
      other.task === row.task &&
      (other.robust === true) === (row.robust === true);
    const base = results.find(same)?.ms?.min;
    if (row.runtime === ours || base === undefined || row.ms === undefined) return row;
    return { ...row, ratio: row.ms.min / base };
  });
}
