import { expect, test } from 'vitest';
import { matmul } from '../../kernels/product/matmul.ts';

/** Its cases (test/records/product/matmul.ts) leave the subgroup variant out. */
test('the subgroup variant is the workgroup variant', () => {
  const params = { rows: 65, inDim: 32, outDim: 68 };
  const [subgroup, workgroup] = (['subgroup', 'workgroup'] as const)
    .map((reduce) => matmul({ ...params, variant: { reduce, f16: false } }))
    .map(({ params: _, ...made }) => made);
  expect(subgroup).toEqual(workgroup);
});
