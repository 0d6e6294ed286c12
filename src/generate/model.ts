/** A model on a device: the decoder that makes tokens and the tokenizer that makes pixels of them. */
import type { Variant } from '../../kernels/kernel.ts';
import { Memory, type MemoryUse } from '../gpu/memory.ts';
import { adapterFacts, chooseVariant, chooseWeightDtype } from '../gpu/variants.ts';
import { gptDecoder } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import { type ModelJson, parseModelJson } from '../models/model-json.ts';
import type { Precision } from '../models/precision.ts';
import type { VqConfig } from '../models/vq-config.ts';
import { vqDecoder } from '../models/vq-decoder.ts';
import { vqEncoder } from '../models/vq-encoder.ts';
import { ENCODER_TENSORS } from '../weights/join.ts';
import { openSafetensors, type Safetensors } from '../weights/safetensors.ts';
import { type ModelFiles, readExactly } from '../weights/source.ts';
import {
  type CheckedNetwork,
  checkNetwork,
  type Network,
  type TransferOptions,
} from './network.ts';

/** How a model is put on a device. */
export interface PrecisionOptions {
  /** Storage of the decoder's matrices on the device. Default `auto`: see `chooseWeightDtype`. */
  readonly weightDtype?: 'auto' | 'f32' | 'f16';
  /** Storage of the KV cache. Default f32. */
  readonly kvDtype?: 'f32' | 'f16';
  /** Overrides the kernel variant chosen from the adapter's features. */
  readonly variant?: Partial<Variant>;
}

export interface LoadOptions extends PrecisionOptions, TransferOptions {
  /** Load what encoding images needs too. Default false. */
  readonly encoder?: boolean;
}

/** A loaded model. Call `destroy` to free its GPU memory; the device stays yours. */
export interface Model {
  readonly name: string;
  readonly config: ModelJson;
  readonly device: GPUDevice;
  readonly gpt: Network<GptConfig>;
  readonly vq: Network<VqConfig>;
  /** Bytes of GPU memory in use now. */
  readonly memory: MemoryUse;
  readonly timings: { readonly loadMs: number };
  destroy(): void;
}

/**
 * Loads a model folder onto a device.
 * @param device Any WebGPU device; `deviceDescriptor` says which features and limits are worth asking for.
 * @throws WeightsError when a file is broken or does not fit, DeviceError when the device cannot hold
 * the model.
 */
export async function loadModel(
  device: GPUDevice,
  files: ModelFiles,
  options: LoadOptions = {},
): Promise<Model> {
  const started = performance.now();
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const config = await readConfig(files);
  const gptFile = await openSafetensors(await files.open('gpt.safetensors'));
  const vqFile = await openSafetensors(await files.open('vq.safetensors'));
  const checkedGpt = checkGpt(device, config.gpt, gptFile, options);
  const checkedVq = checkVq(device, config.vq, vqFile, options);

  const memory = new Memory(device);
  const total = checkedGpt.byteLength + checkedVq.byteLength;
  const transfer = (before: number): TransferOptions => ({
    ...(signal && { signal }),
    onProgress: (done) => onProgress?.(before + done, total),
  });
  try {
    const gpt = await checkedGpt.load(memory, transfer(0));
    const vq = await checkedVq.load(memory, transfer(checkedGpt.byteLength));
    return {
      name: config.name,
      config,
      device,
      gpt,
      vq,
      get memory() {
        return memory.use;
      },
      timings: { loadMs: performance.now() - started },
      destroy: () => memory.freeAll(),
    };
  } catch (error) {
    memory.freeAll();
    throw error;
  }
}

async function readConfig(files: ModelFiles): Promise<ModelJson> {
  const source = await files.open('model.json');
  const bytes = await readExactly(source, 0, source.byteLength);
  return parseModelJson(new TextDecoder().decode(bytes), `${files.name}/model.json`);
}

/** The decoder alone, checked against its file. */
export function checkGpt(
  device: GPUDevice,
  config: GptConfig,
  file: Safetensors,
  options: PrecisionOptions = {},
): CheckedNetwork<GptConfig> {
  const precision = gptPrecision(device, file, options);
  const batch = { sequences: 1, guided: false };
  return checkNetwork(device, {
    config,
    precision,
    file,
    define: (g) => void gptDecoder(g, config, batch, precision),
  });
}

/** The tokenizer alone, checked against its file. Its weights are f32: the official one always is. */
export function checkVq(
  device: GPUDevice,
  config: VqConfig,
  file: Safetensors,
  options: PrecisionOptions & { readonly encoder?: boolean } = {},
): CheckedNetwork<VqConfig> {
  const precision = precisionFor(device, options, 'f32');
  const side = 2 ** (config.encoderChMult.length - 1);
  return checkNetwork(device, {
    config,
    precision,
    file,
    define(g) {
      vqDecoder(g, config, { images: 1, height: 1, width: 1 }, precision);
      const image = { images: 1, height: side, width: side };
      if (options.encoder) vqEncoder(g, config, image, precision);
    },
    ignore: options.encoder ? [] : ENCODER_TENSORS,
  });
}

/** How a decoder file is put on a device. */
export function gptPrecision(
  device: GPUDevice,
  file: Safetensors,
  options: PrecisionOptions = {},
): Precision {
  const { weightDtype = 'auto' } = options;
  const isF16 = file.tensors.get('output.weight')?.dtype === 'F16';
  const chosen = chooseWeightDtype(adapterFacts(device), isF16);
  return precisionFor(device, options, weightDtype === 'auto' ? chosen : weightDtype);
}

function precisionFor(
  device: GPUDevice,
  { variant, kvDtype = 'f32' }: PrecisionOptions,
  weightDtype: 'f32' | 'f16',
): Precision {
  const chosen = chooseVariant(adapterFacts(device));
  return { variant: { ...chosen, ...variant }, weightDtype, kvDtype };
}
