/** Finds out which matrices of subgroups a device has: small products are made with them. */
import { MATRIX_FEATURE } from '../../kernels/kernel.ts';
import { knowMatrices, knownMatrices, type Matrices } from './matrices.ts';
import { adapterFacts } from './variants.ts';

const finding = new WeakMap<GPUDevice, Promise<Matrices>>();

/**
 * Tries the matrices of a device, once: the first that build are used if products of theirs are right,
 * and none if one is wrong. `variantOf` and `adapterFacts` then know them. Takes a few small pipelines and
 * readbacks where the device has the feature, and nothing elsewhere.
 */
export function findMatrices(device: GPUDevice): Promise<Matrices> {
  const known = knownMatrices(device);
  const begun = known ? Promise.resolve(known) : (finding.get(device) ?? find(device));
  finding.set(device, begun);
  return begun;
}

async function find(device: GPUDevice): Promise<Matrices> {
  const mayHave = device.features.has(MATRIX_FEATURE) && device.features.has('subgroups');
  if (!mayHave || adapterFacts(device).software) return {};
  // Code that pages need nowhere else, for a feature that few of them have.
  const { firstThatBuilds } = await import('./try-matrices.ts');
  const matrices = await firstThatBuilds(device);
  knowMatrices(device, matrices);
  return matrices;
}
