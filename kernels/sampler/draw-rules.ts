/** Rules of parameters of the kernels that draw. */

import type { Rules } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import type { DrawTokenParams } from './draw-token.ts';

export const DRAW_RULES: Rules<DrawTokenParams> = {
  sequences: rule.size,
  rows: rule.size,
  vocabSize: rule.size,
  clsTokenNum: rule.size,
  variant: rule.optional(rule.variant),
};
