/** A device that compiles and validates like any other, has every feature, and computes nothing. */
import { create, globals } from 'webgpu';
import { type Feature, MATRIX_FEATURE } from '../../kernels/kernel.ts';

/** Dawn crashes when an instance is collected while its device is in use. */
const instances = new Set<GPU>();

/** For compile checks only: results of this device mean nothing. */
export async function nullDevice(): Promise<GPUDevice> {
  Object.assign(globalThis, globals);
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  instances.add(gpu);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('Dawn has no null backend');
  const features: readonly Feature[] = ['shader-f16', 'subgroups', MATRIX_FEATURE];
  return adapter.requestDevice({ requiredFeatures: [...features] as GPUFeatureName[] });
}
