import * as rule from '../lib/rules.ts';

/** Rules of parameters that products share. */
export const PRODUCT_RULES: Readonly<
  Record<'rows' | 'inDim' | 'outDim' | 'dtype' | 'columns' | 'variant' | 'tile', rule.Rule>
> = {
  rows: rule.size,
  inDim: rule.size,
  outDim: rule.size,
  dtype: rule.optional(rule.matrixDtype),
  columns: rule.optional(rule.part),
  variant: rule.optional(rule.variant),
  tile: rule.optional(rule.tile),
};
