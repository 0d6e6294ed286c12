/**
 * What parameters of kernels may be. Each rule is a function of its own, so that an app holds those of the
 * kernels that it uses.
 */
import type { Variant } from '../kernel.ts';

/** What a value had to be, when it is not that. */
export type Rule = (value: unknown) => string | undefined;

/** Texts hold sizes, and sums of two of them, as u32. */
export const size: Rule = (value) => positive(value, 2 ** 31 - 1);
/** What one expression adds up: compilers limit how deep it is. */
export const parts: Rule = (value) => positive(value, 256);
/** What is added under a root; larger ones would be printed as what is no f32. */
export const eps: Rule = (value) =>
  typeof value === 'number' && value >= 0 && value <= 1e9 ? undefined : 'a number from 0 to 1e9';
export const flag: Rule = (value) => (typeof value === 'boolean' ? undefined : 'true or false');
export const floatDtype: Rule = (value) => oneOf(value, 'f32', 'f16');
export const tableDtype: Rule = (value) => oneOf(value, 'f32', 'f16', 'bf16');
export const matrixDtype: Rule = (value) => oneOf(value, 'f32', 'f16', 'bf16', 'int8', 'int4');
export const kernelSize: Rule = (value) => oneOf(value, 1, 3);
export const stride: Rule = (value) => oneOf(value, 1, 2);
export const norm: Rule = (value) => oneOf(value, 'plain', 'swish');
/** Some of a row of things. Which there are depends on other parameters. */
export const part: Rule = (value) =>
  isObject(value) && Object.keys(value).sort().join() === 'count,first'
    ? undefined
    : '{ first, count }';
export const record: Rule = (value) => (isObject(value) ? undefined : 'an object');
/** How a kernel divides its work; `assertTile` knows its settings. */
export const tile: Rule = record;
/** Checked by the kernel. */
export const any: Rule = () => undefined;

/** What may be left out. */
export const optional =
  (rule: Rule): Rule =>
  (value) =>
    value === undefined ? undefined : rule(value);

/** The parts of a variant. */
export const variantRules = (): Readonly<Record<keyof Variant, Rule>> => ({
  reduce: (value) => oneOf(value, 'serial', 'workgroup', 'subgroup'),
  f16: flag,
  // Sizes that subgroups may have (WebGPU).
  lanes: optional((value) => oneOf(value, 4, 8, 16, 32, 64, 128)),
  // Workgroups of 64 are not asked to be smaller.
  invocations: optional((value) =>
    Number.isInteger(value) && Number(value) >= 64 ? undefined : 'an integer from 64 up',
  ),
  workgroupBytes: optional(size),
  matrix: optional((value) =>
    isObject(value) && 'texts' in value ? undefined : 'what matrixConfig makes',
  ),
  halves: optional(flag),
});

export const variant: Rule = (value) => {
  const rules = variantRules();
  if (!isObject(value) || Object.keys(value).some((name) => !(name in rules)))
    return `{ ${Object.keys(rules).join(', ')} }`;
  for (const [name, rule] of Object.entries(rules)) {
    const expected = rule((value as Readonly<Record<string, unknown>>)[name]);
    if (expected) return `its "${name}" to be ${expected}`;
  }
  return undefined;
};

export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const oneOf = (value: unknown, ...values: readonly (string | number)[]): string | undefined =>
  values.includes(value as string | number) ? undefined : `one of ${values.join(', ')}`;

function positive(value: unknown, most: number): string | undefined {
  if (!Number.isInteger(value) || Number(value) <= 0) return 'a positive integer';
  return Number(value) <= most ? undefined : `an integer from 1 to ${most}`;
}
