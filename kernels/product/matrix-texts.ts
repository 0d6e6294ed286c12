/**
 * The texts of kernels that multiply by matrices of subgroups. They come with a device's matrices, and kernels
 * do not import them: few devices have matrices, and pages for the others need not load 3 KB of them.
 */
import { halvesMatrix } from '../conv/halves-matrix.ts';
import type { MatrixConfig, MatrixSizes } from '../kernel.ts';
import { matrixMain } from './matrix-product.ts';
import { byMatrices } from './product-matrix.ts';
import { matrixProblem } from './product-matrix-plan.ts';

export interface MatrixTexts {
  /** Products of few rows with a weight, and why one cannot be made. */
  readonly few: typeof byMatrices;
  readonly fewProblem: typeof matrixProblem;
  /** Products of maps, and convolutions that are such. */
  readonly tiled: typeof matrixMain;
  /** Convolutions of halves. */
  readonly halves: typeof halvesMatrix;
}

const texts: MatrixTexts = {
  few: byMatrices,
  fewProblem: matrixProblem,
  tiled: matrixMain,
  halves: halvesMatrix,
};

/** Matrices of these sizes for `Variant.matrix`, with the texts that multiply by them, which no listing shows. */
export const matrixConfig = (sizes: MatrixSizes): MatrixConfig =>
  Object.defineProperty({ ...sizes, texts }, 'texts', { enumerable: false });
