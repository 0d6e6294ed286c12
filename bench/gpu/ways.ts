/** In which ways everything is measured. */
import type { Variant } from '../../kernels/kernel.ts';
import type { Session } from '../session.ts';
import type { Settings } from '../settings.ts';

/** How models compute, in the words of the command line. */
export interface Way {
  readonly name: string;
  readonly settings: Pick<Settings, 'precision' | 'matrix'>;
}

/**
 * `fast` first, which is what a user of a GPU gets; without matrix units where there are any. With
 * `--precision` those of that one, with `--no-matrix` those without.
 */
export function waysOf({ matrix }: Variant, asked: Way['settings'] = {}): readonly Way[] {
  const { matrix: isMatrix = true } = asked;
  const ways: readonly Way[] = [
    { name: 'fast', settings: { precision: 'fast', matrix: isMatrix } },
    ...(matrix && isMatrix
      ? [{ name: 'fast, no matrix units', settings: { precision: 'fast', matrix: false } } as const]
      : []),
    { name: 'exact', settings: { precision: 'exact', matrix: isMatrix } },
  ];
  return ways.filter(({ settings }) => [undefined, settings.precision].includes(asked.precision));
}

export const sessionOf = (session: Session, { settings }: Way): Session => session.with(settings);

/** Small sizes, when asked for and on software adapters, where others take hours. */
export const isSmall = ({ settings, software }: Session): boolean => settings.quick || software;
