/** Whether a device can bind what a model needs, said with numbers before anything is loaded. */
import { DeviceError } from '../errors.ts';
import { bindingLimit } from '../gpu/variants.ts';
import { byteLength, storedAs, type Tensor } from '../graph/tensor.ts';

/**
 * Checks weights that a graph has cut into parts already: what is still too large cannot be cut.
 * @throws DeviceError (`limit`) when one tensor is larger than the device can bind.
 */
export function checkLimits(device: GPUDevice, file: string, weights: readonly Tensor[]): void {
  const { maxBufferSize } = device.limits;
  const limit = bindingLimit(device);
  const which = limit === maxBufferSize ? 'maxBufferSize' : 'maxStorageBufferBindingSize';
  const total = weights.reduce((n, t) => n + byteLength(t), 0);
  for (const tensor of weights) {
    const size = Math.max(byteLength(tensor), byteLength(storedAs(tensor)));
    if (size <= limit) continue;
    throw new DeviceError(
      'limit',
      `${file} needs ${mebibytes(total)} of GPU memory for its weights, ${mebibytes(size)} of them for ` +
        `"${tensor.name}" in one binding; this adapter binds at most ${mebibytes(limit)} (${which})` +
        `${tensor.dtype === 'f32' ? ', and dtype "bf16" would halve it' : ''}`,
    );
  }
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
