/** What a checkpoint's name, arguments and tensors and the caller say of it, and whether they agree. */
import { OptionError, WeightsError } from '../errors.ts';

/** Who says something of a checkpoint, as messages list them. */
const WITNESSES = ['name', 'args', 'shapes', 'options'] as const;
export type Witness = (typeof WITNESSES)[number];

/**
 * What can be left out of account where it is wrong: the name of the file, the arguments saved with it
 * (or in a `config.json` beside it), and buffers that no model needs.
 */
export const IGNORABLE = ['name', 'args', 'buffers'] as const;
export type Ignorable = (typeof IGNORABLE)[number];

/** One value, and who gives it. */
export interface Statement<T> {
  readonly by: Witness;
  readonly value: T;
  /** The words it was said in, e.g. `image_size 256, downsample_size 16, so 16x16`. */
  readonly text: string;
  /** What to do if it is wrong; nothing where it cannot be. */
  readonly remedy?: string | undefined;
}

/** Ways out, by the witness that is wrong. */
const REMEDIES: Readonly<Partial<Record<Witness, string>>> = {
  name: 'if the name is wrong, rename the file or give --ignore name',
  args: 'if the args are wrong, give --ignore args',
};

/** What an option of the caller says; undefined when it is not given. */
export function asked(option: string, value: number | undefined): Statement<number> | undefined {
  if (value === undefined) return undefined;
  const remedy = `if ${option} is wrong, leave it out`;
  return { by: 'options', value, text: `${option} ${value}`, remedy };
}

/**
 * The value that all who say something give; undefined when nobody does.
 * @param file Names the checkpoint in messages.
 * @param what The value in words, e.g. `the token grid`.
 * @throws OptionError when an option differs from another, WeightsError when others differ; both with
 * what all four say and the ways out.
 */
export function agreed<T extends string | number | boolean>(
  file: string,
  what: string,
  statements: readonly (Statement<T> | undefined)[],
): T | undefined {
  const said = statements.filter((statement) => statement !== undefined);
  if (new Set(said.map(({ value }) => value)).size <= 1) return said[0]?.value;
  const lines = WITNESSES.map((witness) => {
    const texts = said.filter(({ by }) => by === witness).map(({ text }) => text);
    return `  ${`${witness}:`.padEnd(9)}${texts.join('; ') || 'nothing'}`;
  });
  const inOrder = WITNESSES.flatMap((witness) => said.filter(({ by }) => by === witness));
  const remedies = new Set(inOrder.flatMap(({ by, remedy }) => remedy ?? REMEDIES[by] ?? []));
  const message = [
    `${file}: name, args, shapes and options do not agree on ${what}:`,
    ...lines,
    [...remedies].join('; '),
  ].join('\n');
  if (said.some(({ by }) => by === 'options')) throw new OptionError(message);
  throw new WeightsError(message);
}
