/** A model on a device: the decoder that makes tokens and the tokenizer that makes pixels of them. */
import { DeviceError } from '../errors.ts';
import { findMatrices } from '../gpu/find-matrices.ts';
import { Memory, type MemoryUse } from '../gpu/memory.ts';
import { type GptConfig, uncondTokensOf } from '../models/gpt-config.ts';
import { type ModelJson, parseModelJson } from '../models/model-json.ts';
import type { VqConfig } from '../models/vq-config.ts';
import { vqOptions } from '../models/vq-options.ts';
import {
  abortSignal,
  type Checks,
  callback,
  checkOptions,
  checkValue,
  flag,
  having,
} from '../options.ts';
import { ENCODER_TENSORS } from '../weights/join.ts';
import { openModelWeights } from '../weights/model-weights.ts';
import type { Safetensors } from '../weights/safetensors.ts';
import { type ModelFiles, readExactly } from '../weights/source.ts';
import { codebookInspector } from './codebook.ts';
import { type Fingerprint, fingerprintOf, modelFacts } from './fingerprint.ts';
import { gptGraphsOf } from './model-graphs.ts';
import {
  type CheckedNetwork,
  checkNetwork,
  type Network,
  type TransferOptions,
} from './network.ts';
import {
  checkVariant,
  gptPrecision,
  PRECISION_CHECKS,
  type PrecisionOptions,
  precisionFor,
} from './precision.ts';

export interface LoadOptions extends PrecisionOptions, TransferOptions {
  /** Load what encoding images needs too. Default false. */
  readonly encoder?: boolean | undefined;
}

/**
 * A loaded model. Call `destroy` to free its GPU memory; the device stays yours. What runs then, and
 * every later use, rejects with a DeviceError (`destroyed`).
 */
export interface Model {
  readonly name: string;
  readonly config: ModelJson;
  readonly device: GPUDevice;
  readonly gpt: Network<GptConfig>;
  readonly vq: Network<VqConfig>;
  /** Bytes of GPU memory in use now. */
  readonly memory: MemoryUse;
  readonly timings: { readonly loadMs: number };
  /** What pictures depend on besides classes, seeds and settings. */
  readonly fingerprint: Fingerprint;
  destroy(): void;
}

const LOAD: Checks<LoadOptions> = {
  ...PRECISION_CHECKS,
  encoder: flag,
  signal: abortSignal,
  onProgress: callback,
};
const IS_DEVICE = having('a GPUDevice', 'createBuffer', 'createComputePipelineAsync');
const IS_FOLDER = having('model files, of openFolder or openUrl,', 'open');
const IS_NETWORK = having('a network', 'exclusive', 'cached');

/** @throws OptionError when it is not a loaded model: a promise of one, a name, nothing. */
export function checkModel(where: string, model: Model): void {
  const { gpt, vq } = Object(model) as Partial<Model>;
  const isLoaded = IS_NETWORK(gpt) === undefined && IS_NETWORK(vq) === undefined;
  const expected = isLoaded ? undefined : 'a model that loadModel has loaded';
  checkValue(`${where}: model`, model, () => expected);
}

/**
 * Loads a model folder onto a device.
 * @param device Any WebGPU device; `deviceDescriptor` says which features and limits are worth asking for.
 * @throws OptionError when an option is unknown or not what it should be, WeightsError when a file is
 * broken or does not fit, DeviceError when the device cannot hold the model.
 */
export async function loadModel(
  device: GPUDevice,
  files: ModelFiles,
  options: LoadOptions = {},
): Promise<Model> {
  const started = performance.now();
  checkValue('device', device, IS_DEVICE);
  checkValue('files', files, IS_FOLDER);
  checkOptions('loadModel', options, LOAD);
  checkVariant(options.variant);
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  await findMatrices(device);
  const config = await readConfig(files);
  const gptFile = await openModelWeights(files, 'gpt');
  const vqFile = await openModelWeights(files, 'vq');
  const checkedGpt = await checkGpt(device, config.gpt, gptFile, options);
  const checkedVq = await checkVq(device, config.vq, vqFile, options);

  const memory = new Memory(device);
  const total = checkedGpt.byteLength + checkedVq.byteLength;
  const transfer = (before: number): TransferOptions => ({
    signal,
    onProgress: (done) => onProgress?.(before + done, total),
  });
  try {
    const gpt = await checkedGpt.load(memory, transfer(0));
    const vq = await checkedVq.load(memory, transfer(checkedGpt.byteLength));
    const fingerprint = await fingerprintOf({
      model: modelFacts(config, [gpt.weightsDigest, vq.weightsDigest]),
      adapter: device.adapterInfo,
      precision: gpt.precision,
    });
    return {
      name: config.name,
      ...{ config, device, gpt, vq, fingerprint },
      get memory() {
        return memory.use;
      },
      timings: { loadMs: performance.now() - started },
      destroy: () => memory.close(destroyed(config.name)),
    };
  } catch (error) {
    memory.freeAll();
    throw error;
  }
}

const destroyed = (name: string): DeviceError =>
  new DeviceError('destroyed', `the model ${name} was destroyed: load it again to use it`);

/** The `model.json` of a folder. @throws WeightsError when there is none, or a broken one. */
export async function readConfig(files: ModelFiles): Promise<ModelJson> {
  const source = await files.open('model.json');
  const bytes = await readExactly(source, 0, source.byteLength);
  return parseModelJson(new TextDecoder().decode(bytes), `${files.name}/model.json`);
}

/** The decoder alone, checked against its file. */
export async function checkGpt(
  device: GPUDevice,
  config: GptConfig,
  file: Safetensors,
  options: PrecisionOptions = {},
): Promise<CheckedNetwork<GptConfig>> {
  const graphs = await gptGraphsOf(config);
  const precision = gptPrecision(device, file, options);
  return checkNetwork(device, {
    config,
    precision,
    file,
    define: (g) =>
      graphs(g, config, { rows: 1, slots: 1 }, precision, uncondTokensOf(file, config)),
  });
}

/** The tokenizer alone, checked against its file. Its weights are f32: the official one always is. */
export async function checkVq(
  device: GPUDevice,
  config: VqConfig,
  file: Safetensors,
  options: PrecisionOptions & Pick<LoadOptions, 'encoder'> = {},
): Promise<CheckedNetwork<VqConfig>> {
  const { vqDecoder } = await import('../models/vq-decoder.ts');
  const encode = options.encoder ? (await import('../models/vq-encoder.ts')).vqEncoder : undefined;
  const precision = precisionFor(device, options, { dtype: 'f32' });
  const settings = vqOptions(precision);
  const side = 2 ** (config.encoderChMult.length - 1);
  return checkNetwork(device, {
    config,
    precision,
    file,
    define(g) {
      vqDecoder(g, config, { images: 1, height: 1, width: 1 }, settings);
      const image = { images: 1, height: side, width: side };
      encode?.(g, config, image, settings);
    },
    ignore: options.encoder ? [] : ENCODER_TENSORS,
    inspector: () => codebookInspector(file.name, config),
  });
}
