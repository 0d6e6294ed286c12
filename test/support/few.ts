/**
 * Suites that are too long for `npm test`: it runs a few of their cases, `npm run test:long` the
 * others, all of them or a sample.
 */
import type { Variant } from '../../kernels/kernel.ts';
import { uniform } from './random.ts';

/**
 * What `npm run test:long` sets: the share of the cases to run, and the seed they are chosen by.
 * `every` runs these and those of `npm test`, as for mutants.
 */
const { LLAMAGEN_LONG_SHARE, LLAMAGEN_LONG_SEED } = process.env;

/** `count` of `cases` in their order, drawn with a seed. */
export function sample<T>(count: number, cases: readonly T[], seed: number): readonly T[] {
  const next = uniform(seed);
  const draws = cases.map((_, i) => [next(), i] as const).sort(([a], [b]) => a - b);
  const chosen = new Set(draws.slice(0, count).map(([, i]) => i));
  return cases.filter((_, i) => chosen.has(i));
}

/** For vitest in a process of its own: every case of the long suites. */
export const EVERY_CASE = { LLAMAGEN_LONG_SHARE: 'every' } as const;

/** Whether this is `npm run test:long`, for tests that `npm test` runs as a whole. */
export const isLong: boolean = LLAMAGEN_LONG_SHARE !== undefined && LLAMAGEN_LONG_SHARE !== 'every';

/**
 * Those of `npm test` are run again by `npm run test:long`, which cuts what is inside of them
 * otherwise.
 */
export const fewAgain = <T>(count: number, cases: readonly T[]): readonly T[] =>
  isLong ? few(0, cases) : few(count, cases);

/**
 * Some of `cases`, in their order: in `npm test` `count` of them, evenly spread; in
 * `npm run test:long` those that `npm test` leaves out, or a sample of them.
 */
export function few<T>(count: number, cases: readonly T[]): readonly T[] {
  if (cases.length <= count || LLAMAGEN_LONG_SHARE === 'every') return cases;
  const quick = new Set(
    Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * cases.length) / count)),
  );
  if (LLAMAGEN_LONG_SHARE === undefined) return cases.filter((_, i) => quick.has(i));
  const others = cases.filter((_, i) => !quick.has(i));
  const wanted = Math.max(1, Math.ceil(others.length * Number(LLAMAGEN_LONG_SHARE)));
  return sample(wanted, others, Number(LLAMAGEN_LONG_SEED));
}

/**
 * `few` of `cases` where a variant has barriers, which take software adapters long; else all, and in
 * `npm run test:long` one, since `npm test` has run them.
 */
export function fewBarriers<T>(
  { reduce }: Pick<Variant, 'reduce'>,
  count: number,
  cases: readonly T[],
): readonly T[] {
  if (reduce !== 'serial') return few(count, cases);
  return isLong ? cases.slice(0, 1) : cases;
}
