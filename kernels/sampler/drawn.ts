/** What was drawn in a pass, before it counts: the layout of `drawn`, u32 [draws], a token or one of these. */
import type { Binding } from '../kernel.ts';

/** Nothing was drawn since `advance` took what was. */
export const NOT_DRAWN: number = 2 ** 32 - 2;

/** A given token stands there, and nothing was drawn for it. */
export const GIVEN: number = 2 ** 32 - 3;

/** The binding `drawn`: NO_TOKEN where the logits are not finite. */
export const drawnBinding = (draws: number): Binding<'inout'> => ({
  role: 'inout',
  dtype: 'u32',
  shape: [draws],
});

/** The names of both in WGSL. */
export const drawnLib: string = `
const NOT_DRAWN = ${NOT_DRAWN}u;
const GIVEN = ${GIVEN}u;`;
