/** The families of kernels that are tuned. */
import type { Families } from './tune.ts';

/** Tiles by family; a family that is not here keeps its own choices. */
export const FAMILIES: Families = {};
