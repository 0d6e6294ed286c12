/** How a tokenizer is built. */
import type { OpSettings } from '../ops/operation.ts';

export interface VqOptions extends OpSettings {
  /** Storage of filters and codebook on the device; norms and biases stay f32. */
  readonly dtype: 'f32' | 'f16';
  /** Compute stages that nothing else needs, for tests: `norm_out` before its swish. Default false. */
  readonly stages?: boolean | undefined;
}

/** How a tokenizer is built on a device: its weights are f32, as the official ones are. */
export const vqOptions = ({ variant, tiles, called }: OpSettings): VqOptions => ({
  ...{ variant, tiles, called, dtype: 'f32' },
});
