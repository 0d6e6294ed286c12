/** Every kind of kernel text that the records name, for checks that want all of them. */
import { PORTABLE, type Variant } from '../../kernels/kernel.ts';
import { RECORDS } from './index.ts';
import { hasVariants, type KernelRecord, withVariant } from './record.ts';
import { titleOf } from './words.ts';

export interface Text {
  readonly title: string;
  readonly record: KernelRecord;
  readonly params: object;
}

export const TEXTS: readonly Text[] = RECORDS.flatMap((record) =>
  [record.shown, ...record.texts].map((params) => ({
    title: titleOf(record.name, params),
    record,
    params,
  })),
);

/** Parameters for each of the variants; once where a kernel has none. */
export const underVariants = (
  { record, params }: Text,
  variants: readonly Variant[],
): readonly { readonly variant: Variant; readonly params: object }[] =>
  (hasVariants(record) ? variants : [PORTABLE]).map((variant) => ({
    variant,
    params: withVariant(record, params, variant),
  }));
