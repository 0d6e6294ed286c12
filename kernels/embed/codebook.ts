/** What kernels over a VQ codebook are made from. */

import type { Rules } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';

export interface CodebookParams {
  readonly images: number;
  /** Rows of the grid of codes. */
  readonly height: number;
  /** Columns of the grid of codes. */
  readonly width: number;
  readonly codebookSize: number;
  /** Length of a codebook vector and channels of the latents. */
  readonly codebookEmbedDim: number;
  /** Divide every vector by max(its length, 1e-12). */
  readonly l2Norm: boolean;
  /** Storage of the codebook. Default f32. */
  readonly dtype?: 'f32' | 'f16' | undefined;
}

/** Rules of the parameters. */
export const CODEBOOK_RULES: Rules<CodebookParams> = {
  images: rule.size,
  height: rule.size,
  width: rule.size,
  codebookSize: rule.size,
  codebookEmbedDim: rule.size,
  l2Norm: rule.flag,
  dtype: rule.optional(rule.floatDtype),
};
