/** Features of captions that no encoder made. */
import type { CaptionFeatures } from '../../src/models/caption.ts';
import { normal } from './random.ts';

/** Of `t2i_tiny`: 48 features a token. */
export const anyCaption = (tokens: number, seed: number, dim = 48): CaptionFeatures => ({
  ...{ values: normal(tokens * dim, 100 + seed), tokens, dim },
});
