/** What a judge is asked: whether anything notices a fault, a generated or a written one. */
import { type Fault, withFault } from './faults.ts';
import { mutate } from './mutant.ts';
import { mutants } from './mutants.ts';

export type Question =
  | ({ readonly from: 'operator' } & Pick<Fault, 'kernel' | 'operator' | 'key'>)
  | { readonly from: 'list'; readonly name: string };

/** A text with the fault and the lines that differ; undefined where it has no place for it. */
export function textWith(
  question: Question,
  kernel: string,
  label: string,
  code: string,
): { readonly code: string; readonly diff: string } | undefined {
  if (question.from === 'operator') {
    return kernel === question.kernel ? withFault(question.key, code) : undefined;
  }
  const mutant = mutants.find(({ name }) => name === question.name);
  if (!mutant) throw new Error(`there is no mutant "${question.name}"`);
  const faulty = mutate(mutant, label, code);
  return faulty === code ? undefined : { code: faulty, diff: mutant.fault };
}
