/** What a call of a pickle may use, and how it is written. */
import type { PtValue } from './values.ts';

/** What a call may use. */
export interface CallContext {
  /** Throws the WeightsError for the pickle. */
  fail(message: string): never;
  /**
   * Counts items or bytes that a call copies. A pickle may call over one remembered value many
   * times, so all copies together must stay below the pickle's own size.
   */
  copied(count: number): void;
}

/** Makes the value that a global gives for positional arguments. */
export type Call = (args: readonly PtValue[], context: CallContext) => PtValue;

/** Whether a value is a whole number from 0 up. */
export const isCount = (value: PtValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
