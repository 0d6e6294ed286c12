/** A device that compiles and validates like any other, has every feature, and computes nothing. */
import { create, globals } from 'webgpu';
import { type Feature, MATRIX_FEATURE } from '../../kernels/kernel.ts';
import { keepInstance } from '../../src/node/dawn-instance.ts';

export interface NullOptions {
  /** Default true. */
  readonly validation?: boolean;
}

export async function nullAdapter({ validation = true }: NullOptions = {}): Promise<GPUAdapter> {
  Object.assign(globalThis, globals);
  const enabled = ['allow_unsafe_apis', ...(validation ? [] : ['skip_validation'])];
  const gpu = keepInstance(create(['backend=null', `enable-dawn-features=${enabled}`]));
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('Dawn has no null backend');
  return adapter;
}

/** For compile checks only: results of this device mean nothing. */
export async function nullDevice(options: NullOptions = {}): Promise<GPUDevice> {
  const adapter = await nullAdapter(options);
  const features: readonly Feature[] = ['shader-f16', 'subgroups', MATRIX_FEATURE];
  return adapter.requestDevice({ requiredFeatures: [...features] as GPUFeatureName[] });
}
