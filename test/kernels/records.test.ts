/** What the loop over all records stands on: what it compares, and words for parameters. */
import { describe, expect, test } from 'vitest';
import { checkCase, compareOutputs } from '../records/check.ts';
import { RECORDS, recordNamed } from '../records/index.ts';
import { rmsNorm } from '../records/norm/rms-norm.ts';
import type { Closeness, KernelRecord } from '../records/record.ts';
import { TEXTS, underVariants } from '../records/texts.ts';
import { paramWords, readParams } from '../records/words.ts';
import { testDevice } from '../support/device.ts';
import { VARIANTS } from '../support/variants.ts';

describe('outputs', () => {
  const compare = (
    closeness: Closeness,
    made: readonly number[],
    expected: readonly number[],
    partly: readonly string[] = [],
  ) => {
    const record: KernelRecord = { ...rmsNorm, tolerance: () => closeness, partly };
    return () => compareOutputs(record, {}, { out: made }, { out: expected });
  };
  const close = { nmse: 1e-4, max: 0.1 };

  test('must be close, and there', () => {
    expect(compare(close, [1, 100.05], [1, 100])).not.toThrow();
    expect(compare(close, [1, 100.2], [1, 100])).toThrow(/rms_norm: out: .* max error/);
    expect(compare(close, [1], [1, 100])).toThrow('rms_norm: out: 1 values, expected 2');
    expect(compare(close, [1, Number.NaN], [1, 100])).toThrow(/is NaN/);
    expect(() => compareOutputs(rmsNorm, {}, {}, { out: [1] })).toThrow(
      'rms_norm: the oracle makes out, the kernel ',
    );
  });

  test('must be equal where they are to be', () => {
    expect(compare('equal', [1, -0], [1, 0])).not.toThrow();
    expect(compare('equal', [1, 2], [1, 3])).toThrow('rms_norm: out: value 1 is 2, expected 3');
    expect(compare('equal', [Number.NaN], [Number.NaN])).toThrow(/expected NaN/);
  });

  test('are judged row by row where rows have different sizes', () => {
    const [made, expected] = [
      [1000, 1000, 0.01, 0.02],
      [1000, 1000, 0.01, 0.01],
    ] as const;
    expect(compare(close, made, expected)).not.toThrow();
    expect(compare({ ...close, each: 2 }, made, expected)).toThrow(/out, row 1: nmse/);
  });

  test('have zeros where the oracle has them, and nowhere else', () => {
    const zeros = { ...close, zeros: true };
    expect(compare(zeros, [1, 0], [1, 0])).not.toThrow();
    expect(compare(zeros, [1, 1e-9], [1, 0])).toThrow(/value 1 is 1e-9, expected 0/);
    expect(compare(zeros, [1, 0], [1, 1e-9])).toThrow(/value 1 is 0, expected 1e-9/);
  });

  test('of which a part is made are NaN elsewhere', () => {
    expect(compare(close, [1, Number.NaN], [1, Number.NaN], ['out'])).not.toThrow();
    expect(compare(close, [1, 2], [1, Number.NaN], ['out'])).toThrow(/value 1 is 2, expected none/);
    expect(compare(close, [Number.NaN, 2], [1, 2], ['out'])).toThrow(/is NaN/);
    expect(compare('equal', [1, Number.NaN], [1, Number.NaN], ['out'])).not.toThrow();
    expect(compare('equal', [1, 0], [1, Number.NaN], ['out'])).toThrow(/expected NaN/);
  });

  test('of a kernel with a fault are not what the oracle makes', async () => {
    const params = { rows: 2, dim: 36 };
    const kernel = rmsNorm.kernel(params);
    const device = await testDevice();
    await checkCase(device, rmsNorm, params, kernel);
    const code = kernel.code.replace('* gain_at(0u, i)', '');
    expect(code).not.toBe(kernel.code);
    await expect(checkCase(device, rmsNorm, params, { ...kernel, code })).rejects.toThrow(/nmse/);
  });
});

describe('words', () => {
  test('are read as what they were made of', () => {
    for (const text of TEXTS) {
      for (const { params } of underVariants(text, VARIANTS)) {
        expect(readParams(paramWords(params), {})).toEqual(params);
      }
    }
    for (const { suites } of RECORDS) {
      for (const params of suites.flatMap(({ cases }) => cases)) {
        expect(readParams(paramWords(params), {})).toEqual(params);
      }
    }
  });

  test('are numbers, flags, names, variants, values within and JSON', () => {
    const words = ['rows=2', 'eps=1e-6', 'residual=true', 'dtype=f16', 'variant=serial,lanes=4'];
    expect(readParams([...words, 'tile.span=8', 'columns={"first":0,"count":4}'], {})).toEqual({
      ...{ rows: 2, eps: 1e-6, residual: true, dtype: 'f16' },
      variant: { reduce: 'serial', f16: false, lanes: 4 },
      ...{ tile: { span: 8 }, columns: { first: 0, count: 4 } },
    });
  });

  test('take the place of others, or away', () => {
    const base = { rows: 2, dtype: 'f16', tile: { span: 8, parts: 1 } };
    expect(readParams(['rows=3', 'dtype=none', 'tile.span=4'], base)).toEqual({
      ...{ rows: 3, dtype: undefined, tile: { span: 4, parts: 1 } },
    });
  });

  test.each(['rows', '=3', '2=3', 'tile={'])('refuse %s', (word) => {
    expect(() => readParams([word], {})).toThrow(RangeError);
  });
});

test('a kernel is known by its name in labels and by that of its function', () => {
  expect(recordNamed('rms_norm')?.name).toBe('rms_norm');
  expect(recordNamed('rmsNorm')?.name).toBe('rms_norm');
  expect(recordNamed('rms')).toBeUndefined();
});
