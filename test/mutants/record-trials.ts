/** Every case of every record that the device can run. */
import type { Kernel, Variant } from '../../kernels/kernel.ts';
import { type CaseInputs, compareOutputs, inputsOf } from '../records/check.ts';
import { RECORDS } from '../records/index.ts';
import type { KernelRecord } from '../records/record.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, runnable, variantName } from '../support/variants.ts';
import type { Trial, Trials } from './trial.ts';

const elementsOf = ({ bindings }: Kernel): number =>
  Object.values(bindings).reduce((n, { shape }) => n + shape.reduce((m, size) => m * size, 1), 0);

function trialOf(record: KernelRecord, params: object, kernel: Kernel, variant: string): Trial {
  const { name, label, code } = kernel;
  /** The same for every fault. */
  let inputs: CaseInputs | undefined;
  return {
    ...{ kernel: name, variant, label, code, elements: elementsOf(kernel) },
    check: async (device, text) => {
      inputs ??= inputsOf(record, kernel, params);
      const made = await runKernel(device, { ...kernel, code: text }, inputs.given);
      compareOutputs(record, params, made, record.oracle(params, inputs.meant, made));
    },
  };
}

/** Cases of a record; `undefined` stands for a kernel without variants. */
function* casesOf(record: KernelRecord, device: GPUDevice): Generator<Trial> {
  for (const { variants, cases } of record.suites) {
    const able: readonly (Variant | undefined)[] = variants
      ? deviceVariants(device, variants)
      : [undefined];
    for (const variant of able) {
      for (const own of cases) {
        const params = variant ? { ...own, variant } : own;
        const kernel = record.kernel(params);
        if (!runnable(device, kernel)) continue;
        yield trialOf(record, params, kernel, variant ? variantName(variant) : 'only');
      }
    }
  }
}

export const trials: Trials = (device) => RECORDS.flatMap((record) => [...casesOf(record, device)]);
