/** A model on a device: the decoder that makes tokens and the tokenizer that makes pixels of them. */
import type { MatrixDType, QuantDType, TableDType, Variant } from '../../kernels/kernel.ts';
import { isQuantised } from '../../kernels/lib/accessors.ts';
import { DeviceError, OptionError } from '../errors.ts';
import { findMatrices } from '../gpu/find-matrices.ts';
import { Memory, type MemoryUse } from '../gpu/memory.ts';
import { adapterFacts, bindingLimit, chooseWeightDtype, variantOf } from '../gpu/variants.ts';
import { gptDecoder } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import { type ModelJson, parseModelJson } from '../models/model-json.ts';
import { type Precision, WEIGHT_DTYPES, type WeightDTypeOption } from '../models/precision.ts';
import { vqOptions } from '../models/vq-blocks.ts';
import type { VqConfig } from '../models/vq-config.ts';
import { vqDecoder } from '../models/vq-decoder.ts';
import { vqEncoder } from '../models/vq-encoder.ts';
import type { Tiles } from '../ops/tiles.ts';
import {
  abortSignal,
  type Checks,
  callback,
  checkOptions,
  checkValue,
  flag,
  having,
  integer,
  oneOf,
} from '../options.ts';
import { ENCODER_TENSORS } from '../weights/join.ts';
import { quantDTypeOf, storageOf } from '../weights/quantize.ts';
import type { Safetensors } from '../weights/safetensors.ts';
import { openModelWeights } from '../weights/sharded.ts';
import { type ModelFiles, readExactly } from '../weights/source.ts';
import { codebookInspector } from './codebook.ts';
import {
  type CheckedNetwork,
  checkNetwork,
  type Network,
  type TransferOptions,
} from './network.ts';

/** How a model is put on a device. */
export interface PrecisionOptions {
  /**
   * Storage of the decoder's matrices on the device. Default `auto`: as they are stored, but f32 on
   * software adapters (`chooseWeightDtype`). int8 and int4 are made of floats while they are loaded;
   * a file that stores integers can be loaded as it is only.
   */
  readonly dtype?: WeightDTypeOption | undefined;
  /** Storage of the KV cache. Default f32. */
  readonly kvDtype?: 'f32' | 'f16' | undefined;
  /** Weights above this are cut into parts. Default: what the device can bind. */
  readonly maxBindingBytes?: number | undefined;
  /** Overrides the kernel variant chosen from the adapter's features. */
  readonly variant?: Partial<Variant> | undefined;
  /**
   * Tiles that differ from the kernels' own choices: those that were measured on the device or forced, as
   * `openDevice` gives them, or `tunedTiles` in the browser. Default none.
   */
  readonly tiles?: Tiles | undefined;
}

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
  destroy(): void;
}

const LOAD: Checks<LoadOptions> = {
  dtype: oneOf(WEIGHT_DTYPES),
  kvDtype: oneOf(['f32', 'f16']),
  maxBindingBytes: integer(1),
  variant: having('an object with parts of a variant'),
  tiles: having('an object of tiles'),
  encoder: flag,
  signal: abortSignal,
  onProgress: callback,
};
const VARIANT: Checks<Variant> = {
  reduce: oneOf(['serial', 'workgroup', 'subgroup']),
  f16: flag,
  lanes: integer(1),
  matrix: having('an object'),
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
  checkOptions('variant', options.variant ?? {}, VARIANT);
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  await findMatrices(device);
  const config = await readConfig(files);
  const gptFile = await openModelWeights(files, 'gpt');
  const vqFile = await openModelWeights(files, 'vq');
  const checkedGpt = checkGpt(device, config.gpt, gptFile, options);
  const checkedVq = checkVq(device, config.vq, vqFile, options);

  const memory = new Memory(device);
  const total = checkedGpt.byteLength + checkedVq.byteLength;
  const transfer = (before: number): TransferOptions => ({
    signal,
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
      destroy: () => memory.close(destroyed(config.name)),
    };
  } catch (error) {
    memory.freeAll();
    throw error;
  }
}

const destroyed = (name: string): DeviceError =>
  new DeviceError('destroyed', `the model ${name} was destroyed: load it again to use it`);

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
  return checkNetwork(device, {
    config,
    precision,
    file,
    define: (g) => void gptDecoder(g, config, { rows: 1, slots: 1 }, precision),
  });
}

/** The tokenizer alone, checked against its file. Its weights are f32: the official one always is. */
export function checkVq(
  device: GPUDevice,
  config: VqConfig,
  file: Safetensors,
  options: PrecisionOptions & Pick<LoadOptions, 'encoder'> = {},
): CheckedNetwork<VqConfig> {
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
      if (options.encoder) vqEncoder(g, config, image, settings);
    },
    ignore: options.encoder ? [] : ENCODER_TENSORS,
    inspector: () => codebookInspector(file.name, config),
  });
}

/**
 * How a decoder file is put on a device.
 * @throws OptionError when integers are asked for as something else.
 */
export function gptPrecision(
  device: GPUDevice,
  file: Safetensors,
  options: PrecisionOptions = {},
): Precision {
  const { dtype: asked = 'auto' } = options;
  checkValue('dtype', asked, LOAD.dtype);
  const facts = adapterFacts(device);
  const layers = storedDtype(file, 'layers.0.feed_forward.w1.weight');
  const head = storedDtype(file, 'output.weight');
  const table = tableOf(storedDtype(file, 'tok_embeddings.weight'));
  if (isQuantised(layers) || isQuantised(head)) {
    if (asked !== 'auto' && asked !== layers) {
      throw new OptionError(
        `${file.name}: its matrices are stored as ${layers} and cannot be loaded as ${asked}: leave "dtype" out, or convert the original again`,
      );
    }
    return precisionFor(device, options, {
      dtype: isQuantised(layers) ? layers : chooseWeightDtype(facts, layers),
      headDtype: isQuantised(head) ? head : chooseWeightDtype(facts, head),
      tableDtype: chooseWeightDtype(facts, table),
    });
  }
  if (asked === 'int8' || asked === 'int4') return quantising(device, options, asked, table);
  return precisionFor(
    device,
    options,
    asked === 'auto'
      ? {
          dtype: chooseWeightDtype(facts, layers),
          headDtype: chooseWeightDtype(facts, head),
          tableDtype: chooseWeightDtype(facts, table),
        }
      : { dtype: asked },
  );
}

/** Integers made while loading; what stays as it is takes no more than 16 bits a value. */
function quantising(
  device: GPUDevice,
  options: PrecisionOptions,
  dtype: QuantDType,
  table: TableDType,
): Precision {
  const tableDtype = table === 'f32' ? 'f16' : table;
  const headDtype = storageOf('output.weight', dtype, tableDtype);
  return precisionFor(device, options, { dtype, headDtype, tableDtype });
}

/** How a file stores a tensor; what cannot be a weight is found when the file is checked. */
function storedDtype({ tensors }: Safetensors, name: string): MatrixDType {
  const dtype = tensors.get(name)?.dtype;
  if (dtype === 'F16') return 'f16';
  return dtype === 'BF16' ? 'bf16' : (quantDTypeOf(dtype) ?? 'f32');
}

const tableOf = (dtype: MatrixDType): TableDType => (isQuantised(dtype) ? 'f32' : dtype);

function precisionFor(
  device: GPUDevice,
  { variant, tiles, kvDtype = 'f32', maxBindingBytes = bindingLimit(device) }: PrecisionOptions,
  dtypes: Pick<Precision, 'dtype' | 'headDtype' | 'tableDtype'>,
): Precision {
  const chosen = variantOf(device);
  return { variant: { ...chosen, ...variant }, tiles, ...dtypes, kvDtype, maxBindingBytes };
}
