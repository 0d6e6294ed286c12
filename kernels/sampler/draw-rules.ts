/** Rules of parameters of the kernels that draw. */

export const DRAW_RULES = {
  sequences: 'size',
  rows: 'size',
  vocabSize: 'size',
  clsTokenNum: 'size',
  variant: 'variant?',
} as const;
