/**
 * Kernels by what they are given: how much work a dispatch is, and what it should make. A kernel is
 * known by the first word of its label and the names of its bindings, so that every call of a graph can be measured as it is.
 */
import type { Cost, Kernel } from '../../kernels/kernel.ts';
import { attentionFamilies } from './check-attention.ts';
import { decoderFamilies } from './check-decoder.ts';
import { tokenizerFamilies } from './check-tokenizer.ts';
import { winogradFamilies } from './check-winograd.ts';
import type { KernelRun } from './run.ts';

export interface Family {
  /** First words of the labels it has. */
  readonly words: readonly string[];
  /** Bindings that it has; those with a question mark it may have. Scales are not named. */
  readonly bindings: string;
  /** The least work of one dispatch, where bindings and label do not say. */
  work?(kernel: Kernel, position: number): Partial<Cost>;
  /**
   * Compares outputs with the oracle.
   * @throws Refusal or Error when they disagree.
   */
  check(run: KernelRun): Promise<void>;
}

const families: readonly Family[] = [
  ...decoderFamilies,
  ...attentionFamilies,
  ...tokenizerFamilies,
  ...winogradFamilies,
];

/** The family of a kernel, or undefined when this bench has no oracle for its bindings. */
export function familyOf(kernel: Kernel): Family | undefined {
  const names = Object.keys(kernel.bindings).filter((name) => !name.endsWith('Scales'));
  const [word = ''] = kernel.label.split(' ');
  return families.find(({ words: own, bindings }) => {
    if (!own.includes(word)) return false;
    const words = bindings.split(' ');
    const known = new Set(words.map((word) => word.replace('?', '')));
    const needed = words.filter((word) => !word.endsWith('?'));
    return names.every((name) => known.has(name)) && needed.every((name) => names.includes(name));
  });
}
