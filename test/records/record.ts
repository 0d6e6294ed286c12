/** One record a kernel: all that tests, bench, mutants and `npm run kernel` have to know of it. */
import type { Kernel, Variant } from '../../kernels/kernel.ts';
import type { Tolerance } from '../oracle/compare.ts';
import type { StoredWeight } from '../support/weights.ts';

/** Tensors by the names of their bindings. */
export type Values = Readonly<Record<string, ArrayLike<number>>>;

/** What an output must be: within a tolerance of the oracle's, or equal to it. */
export type Closeness = Close | 'equal';

export interface Close extends Tolerance {
  /** Values of a row, where every row is judged by itself. Default all at once. */
  readonly each?: number;
  /** Zeros must be where the oracle has them, and nowhere else. */
  readonly zeros?: boolean;
}

/** Cases of a kernel, each for every one of the variants. */
export interface Suite<P extends object = object> {
  /** Left out where a kernel has no variants. */
  readonly variants?: readonly Variant[];
  readonly cases: readonly P[];
  /** With barriers, which take software adapters long: cases of `npm test`. Default all. */
  readonly few?: number;
  /** Without barriers. Default all. */
  readonly fewSerial?: number;
}

/** Output channels, or columns: an oracle can make some of them without the others. */
export interface Sampled {
  /** The parameter that says how many there are. */
  readonly size: string;
  /** Where they stand in the shape of each binding that has them; below zero, counted from its end. */
  readonly axes: Readonly<Record<string, number>>;
}

export interface KernelRecord<P extends object = object> {
  /** As in labels and messages, e.g. `rms_norm`. */
  readonly name: string;
  /** The kernel of these parameters, and of a variant where it has any. */
  kernel(params: P): Kernel;
  /** Parameters of a real model, for documentation and snapshots. */
  readonly shown: P;
  /** What the outputs of a kernel are compared with the oracle for. */
  readonly suites: readonly Suite<P>[];
  /** One of each kind of text: compiled for every variant, given wrong parameters, changed by mutants. */
  readonly texts: readonly P[];
  /** Seeded contents of every binding that is read; those a kernel lacks are not asked for. */
  readonly inputs: Readonly<Record<string, Fill<P>>>;
  /**
   * What the outputs must be, from the values that inputs stand for: plain loops in float64.
   * @param made What the kernel made, where more than one answer is right.
   */
  oracle(params: P, inputs: Values, made: Values): Values;
  /** How close an output must be, with the reason. */
  tolerance(output: string, params: P): Closeness;
  /** Outputs of which a kernel leaves some values alone, where the oracle has NaN. */
  readonly partly?: readonly string[];
  /** Of large sizes the bench compares a sample. Default all. */
  readonly sampled?: Sampled;
}

/** A method, so that a record of one kernel is a record of any. */
type Fill<P> = { of(params: P): ArrayLike<number> | StoredWeight }['of'];

/** What is said of a kernel; `Inputs` are those of its oracle. */
export interface Own<P extends object, Inputs extends object>
  extends Omit<KernelRecord<P>, 'inputs' | 'oracle'> {
  readonly inputs: { readonly [Name in keyof Inputs]-?: Fill<P> };
  oracle(params: P, inputs: Inputs, made: Values): Values;
}

/** A record whose oracle and inputs are known to agree in names. */
export const record = <P extends object, Inputs extends object>(
  own: Own<P, Inputs>,
): KernelRecord<P> => own as unknown as KernelRecord<P>;

/** Whether a kernel has variants. */
export const hasVariants = ({ suites }: KernelRecord): boolean =>
  suites.some(({ variants }) => variants !== undefined);

/** Parameters of a kernel under a variant, where it has any. */
export const withVariant = (record: KernelRecord, params: object, variant: Variant): object =>
  hasVariants(record) ? { ...params, variant } : params;
