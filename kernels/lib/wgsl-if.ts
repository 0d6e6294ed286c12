/** Text of kernels with conditions, which few have: others need not carry the preprocessor. */
import { wgsl as preprocessed } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { laidOut } from './wgsl.ts';

/** WGSL with the `#if` of wgsl-preprocessor, in the layout of `tidy`. */
export const wgsl = (strings: TemplateStringsArray, ...values: readonly unknown[]): string =>
  laidOut(preprocessed(strings, ...values));
