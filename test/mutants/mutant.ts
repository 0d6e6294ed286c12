/** What a mutant is: a small seeded fault in the text of kernels. */

export interface Mutant {
  readonly name: string;
  /** What goes wrong for a user. */
  readonly fault: string;
  /** Begins the label of the kernels that get the fault. Default: all kernels with the text. */
  readonly kernel?: string;
  /** WGSL text as the kernel has it; every occurrence is replaced (give a RegExp the flag g). */
  readonly find: string | RegExp;
  readonly replace: string;
  /** Test files of which one must fail. */
  readonly tests: readonly string[];
  /** Only tests whose names match (`vitest -t`): serial variants are the fastest on the CPU. */
  readonly only?: string;
}

/** The text of a kernel with the fault in it; the same text where the mutant does not apply. */
export function mutate(
  { kernel = '', find, replace }: Mutant,
  label: string,
  code: string,
): string {
  return label.startsWith(kernel) ? code.replaceAll(find, replace) : code;
}

export type Shared = Pick<Mutant, 'kernel' | 'tests' | 'only'>;
export type Own = Omit<Mutant, keyof Shared> & Partial<Shared>;

/** Mutants that share what `shared` says, unless they say otherwise. */
export const group = (shared: Shared, own: readonly Own[]): Mutant[] =>
  own.map((mutant) => ({ ...shared, ...mutant }));

/** The cases of the records of a folder of kernels. */
export const caseTest = (folder: string): string[] => [`test/kernels/cases/${folder}.test.ts`];

/** What else tests one kernel. */
export const kernelTest = (name: string): string[] => [`test/kernels/${name}.test.ts`];
