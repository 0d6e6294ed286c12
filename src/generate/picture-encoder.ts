/** The part of a tokenizer that makes tokens of pictures, alone: for models that were loaded to draw. */
import type { Picture } from '../engine/images.ts';
import { DeviceError, OptionError } from '../errors.ts';
import { Memory } from '../gpu/memory.ts';
import { readConfig } from '../load/model.ts';
import { checkNetwork, type Destroyable, type TransferOptions } from '../load/network.ts';
import { type PrecisionOptions, precisionFor } from '../load/precision.ts';
import { vqEncoder } from '../models/vq-encoder.ts';
import { vqOptions } from '../models/vq-options.ts';
import { DECODER_TENSORS, hasEncoder } from '../weights/join.ts';
import { openModelWeights } from '../weights/model-weights.ts';
import type { ModelFiles } from '../weights/source.ts';
import { type EncodeOptions, encodeWith, type TokenGrid } from './encode.ts';

/** Encodes pictures as `encodePictures` does. */
export interface PictureEncoder extends Destroyable {
  encode(pictures: readonly Picture[], options?: EncodeOptions): Promise<TokenGrid[]>;
}

/** How near to f32 it computes, and by which kernels. */
type EncoderPrecision = Pick<PrecisionOptions, 'precision' | 'variant' | 'tiles'>;

/**
 * Loads the encoder of a model folder's tokenizer onto a device.
 * @throws OptionError when the folder has none; what `loadModel` throws.
 */
export async function loadPictureEncoder(
  device: GPUDevice,
  files: ModelFiles,
  { signal, onProgress, ...options }: TransferOptions & EncoderPrecision = {},
): Promise<PictureEncoder> {
  const { name, vq: config } = await readConfig(files);
  const file = await openModelWeights(files, 'vq');
  if (!hasEncoder(file)) {
    throw new OptionError(
      `the tokenizer of ${name} came without its encoder: it completes no pictures`,
    );
  }
  const precision = precisionFor(device, options, { dtype: 'f32' });
  const side = 2 ** (config.encoderChMult.length - 1);
  const checked = checkNetwork(device, {
    ...{ config, precision, file },
    define: (g) =>
      vqEncoder(g, config, { images: 1, height: side, width: side }, vqOptions(precision)),
    ignore: DECODER_TENSORS,
  });
  const memory = new Memory(device);
  try {
    const network = await checked.load(memory, { signal, onProgress });
    return {
      encode: (pictures, options) => encodeWith(network, pictures, options),
      destroy: () =>
        memory.close(new DeviceError('destroyed', `the encoder of ${name} was destroyed`)),
    };
  } catch (error) {
    memory.freeAll();
    throw error;
  }
}
