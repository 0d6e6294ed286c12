import { expect, test } from 'vitest';
import { matmul } from '../../kernels/product/matmul.ts';

/** So that its cases (test/records/product/matmul.ts) are those of one. */
test.each([false, true])('the text is that of every variant, with f16 %s', (f16) => {
  const params = { rows: 65, inDim: 32, outDim: 68 } as const;
  const [workgroup, ...others] = (['workgroup', 'subgroup', 'serial'] as const)
    .map((reduce) => matmul({ ...params, dtype: 'f16', variant: { reduce, f16 } }))
    .map(({ params: _, ...made }) => made);
  expect(workgroup?.code).toContain('workgroupBarrier');
  for (const other of others) expect(other).toEqual(workgroup);
});
