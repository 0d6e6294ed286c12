/** Which kernels run where. */
import { describe, expect, test } from 'vitest';
import { chooseVariant, chooseWeightDtype } from '../../src/gpu/variants.ts';

const facts = { software: false, subgroups: true, shaderF16: true, lanes: 32 };

describe('chooseVariant', () => {
  test.each([
    ['a GPU with everything', facts, { reduce: 'subgroup', f16: true, lanes: 32, halves: true }],
    [
      'a GPU with large workgroups',
      { ...facts, invocations: 1024 },
      { reduce: 'subgroup', f16: true, lanes: 32, halves: true, invocations: 1024 },
    ],
    [
      'a GPU with much workgroup memory',
      { ...facts, subgroups: false, workgroupBytes: 49152 },
      { reduce: 'workgroup', f16: true, halves: true, workgroupBytes: 49152 },
    ],
    [
      'a GPU without subgroups',
      { ...facts, subgroups: false },
      { reduce: 'workgroup', f16: true, halves: true },
    ],
    [
      'a GPU without f16',
      { ...facts, shaderF16: false },
      { reduce: 'subgroup', f16: false, lanes: 32, halves: true },
    ],
    [
      'a software adapter',
      { ...facts, software: true, lanes: 4 },
      { reduce: 'serial', f16: true, lanes: 4 },
    ],
  ] as const)('%s', (_, given, expected) => {
    expect(chooseVariant(given)).toEqual(expected);
  });
});

test('weights stay as they are stored on a GPU and become f32 where unpacking costs more than bytes', () => {
  for (const dtype of ['f32', 'f16', 'bf16'] as const) {
    expect(chooseWeightDtype(facts, dtype)).toBe(dtype);
    expect(chooseWeightDtype({ ...facts, software: true }, dtype)).toBe('f32');
  }
});
