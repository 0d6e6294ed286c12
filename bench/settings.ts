/** What a run was asked for. */
import type { MatrixDType } from '../kernels/kernel.ts';
import { OptionError } from '../src/errors.ts';
import type { GptSize } from '../src/models/gpt-config.ts';
import type { PrecisionName } from '../src/models/precision.ts';

export interface Settings {
  /** Runs of a case after the first. */
  readonly runs: number;
  /** Fewer and shorter cases. */
  readonly quick: boolean;
  /** Only the cases whose names contain one of these; default all. */
  readonly cases?: readonly string[];
  /** Decoders of `kernels`, `generate`, `scaling` and `gpu`; the default depends on the adapter. */
  readonly models?: readonly GptSize[];
  /** Rows of the token grid in `generate`, of the grid of codes in `peers`. */
  readonly grids?: readonly Grid[];
  /** Storage of random weights; the default is that of loading f16. */
  readonly weights?: MatrixDType;
  /** Default: that of loading. */
  readonly precision?: PrecisionName;
  /** Whether matrices of subgroups may be used, where there are any. Default true. */
  readonly matrix?: boolean;
  /** Default: that of the precision. */
  readonly kv?: 'f32' | 'f16';
  /** Seconds that one case of `scaling` may be expected to take. */
  readonly budget: number;
  /** Seconds after which `gpu` begins nothing new. Default: 150 on a GPU. */
  readonly seconds?: number;
  /** Model folder and batch sizes of the suite `model`. */
  readonly model: string;
  readonly images: readonly number[];
}

export type Grid = 16 | 24 | 32;

/**
 * The cases that were asked for.
 * @throws OptionError that lists the known ones when a name is in none of them.
 */
export function selectCases<T extends { readonly name: string }>(
  suite: string,
  all: readonly T[],
  asked: readonly string[] | undefined,
): readonly T[] {
  if (!asked) return all;
  for (const name of asked) {
    if (all.some((c) => c.name.includes(name))) continue;
    const known = all.map((c) => `  ${c.name}`).join('\n');
    throw new OptionError(`${suite} has no case "${name}"; there are\n${known}`);
  }
  return all.filter((c) => asked.some((name) => c.name.includes(name)));
}
