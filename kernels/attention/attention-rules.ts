/** Rules of parameters that kernels of attention share. */

export const KV_RULES = {
  slots: 'size',
  nKvHead: 'size',
  positions: 'size',
  headDim: 'size',
  kvDtype: 'floatDtype?',
} as const;

export const ATTENTION_RULES = {
  rows: 'size',
  nHead: 'size',
  slots: 'size',
  nKvHead: 'size',
  positions: 'size',
  headDim: 'size',
  kvDtype: 'floatDtype?',
  masked: 'flag?',
  variant: 'variant?',
  tile: 'tile?',
} as const;
