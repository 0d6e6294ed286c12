/** Which cases of a record a run of the tests takes. */
import type { Variant } from '../../kernels/kernel.ts';
import { few, isLong } from '../support/few.ts';
import { deviceVariants } from '../support/variants.ts';
import type { KernelRecord, Suite } from './record.ts';

/** Parameters, with the variant, of every case that is to be run on a device. */
export function casesOf({ suites }: KernelRecord, device: GPUDevice): object[] {
  return suites.flatMap((suite) => {
    if (!suite.variants) return [...chosen(suite, 'serial')];
    return deviceVariants(device, suite.variants).flatMap((variant) =>
      chosen(suite, variant.reduce).map((params) => ({ ...params, variant })),
    );
  });
}

/** `npm run test:long` takes one case of what `npm test` runs whole. */
function chosen({ cases, ...suite }: Suite, reduce: Variant['reduce']): readonly object[] {
  const count = reduce === 'serial' ? suite.fewSerial : suite.few;
  if (count !== undefined) return few(count, cases);
  return isLong ? cases.slice(0, 1) : cases;
}
