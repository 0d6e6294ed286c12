/** The text encoder of a model on a device: token ids of prompts in, caption features out. */
import { DeviceError, OptionError } from '../errors.ts';
import { Memory, type MemoryUse } from '../gpu/memory.ts';
import { wantedTensors } from '../gpu/upload-plan.ts';
import { adapterFacts, chooseWeightDtype } from '../gpu/variants.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import type { Precision } from '../models/precision.ts';
import { T5_UNREAD } from '../models/t5.ts';
import type { T5Config } from '../models/t5-config.ts';
import { roundsToHalves } from '../ops/tiles.ts';
import {
  abortSignal,
  type Checks,
  callback,
  checkOptions,
  checkValue,
  having,
  integer,
  oneOf,
  show,
} from '../options.ts';
import { matchTensors } from '../weights/join.ts';
import type { Safetensors } from '../weights/safetensors.ts';
import type { ModelFiles } from '../weights/source.ts';
import { encodePrompts, type Layers } from './encode-prompts.ts';
import { type EncoderFiles, openEncoder, sampleDigest } from './encoder-files.ts';
import { type EncoderOn, groupsOf, groupsWithin, loadGroup } from './encoder-groups.ts';
import { fingerprintOf } from './fingerprint.ts';
import { checkLimits } from './limits.ts';
import { queue, type TransferOptions } from './network.ts';
import {
  checkVariant,
  PRECISION_CHECKS,
  type PrecisionOptions,
  precisionFor,
} from './precision.ts';

export interface TextEncoderOptions
  extends TransferOptions,
    Pick<PrecisionOptions, 'variant' | 'tiles' | 'maxBindingBytes'> {
  /**
   * Storage of matrices on the device. Default `auto`: as they are stored, but f32 on software
   * adapters. Features leave the range of halves, so that what is computed with is f32 in any case.
   */
  readonly dtype?: 'auto' | 'f32' | 'bf16' | undefined;
  /** Most tokens of a prompt. Default 120, as the official models take. */
  readonly maxLength?: number | undefined;
  /**
   * Most GPU bytes of weights at once. Layers that do not fit together are loaded in groups, one after
   * another, for each `encode`, and leave nothing behind. Default: all layers stay on the device; where
   * it has not the memory, three at a time.
   */
  readonly maxWeightBytes?: number | undefined;
}

/** Call `destroy` to free its GPU memory; the device stays yours. */
export interface T5Encoder {
  /** Features of a token. */
  readonly dim: number;
  /** Most tokens of a prompt. */
  readonly maxLength: number;
  readonly config: T5Config;
  /** Equal ones mean equal bits of features: of weights, version, adapter and kernels. */
  readonly fingerprint: string;
  /** Of config and weights alone: tells features of another encoder. */
  readonly modelDigest: string;
  /** Bytes of GPU memory in use now. */
  readonly memory: MemoryUse;
  /** The most bytes of GPU memory that were in use at once. */
  readonly peakBytes: number;
  /** Layers that are on the device together. */
  readonly layersAtOnce: number;
  /**
   * Features of prompts, whose bits do not depend on what else is encoded with them.
   * @param ids Token ids of each prompt, with the end token, without padding.
   * @throws OptionError for ids that the encoder does not know, prompts that are empty or too long;
   * WeightsError when weights turn out to be broken; DeviceError when the device fails, or after
   * `destroy`; the signal's reason when aborted.
   */
  encode(
    ids: readonly (readonly number[])[],
    options?: TransferOptions,
  ): Promise<CaptionFeatures[]>;
  destroy(): void;
}

const LOAD: Checks<TextEncoderOptions> = {
  variant: PRECISION_CHECKS.variant,
  tiles: PRECISION_CHECKS.tiles,
  maxBindingBytes: PRECISION_CHECKS.maxBindingBytes,
  dtype: oneOf(['auto', 'f32', 'bf16']),
  maxLength: integer(1, 4096),
  maxWeightBytes: integer(1),
  signal: abortSignal,
  onProgress: callback,
};
const ENCODE: Checks<TransferOptions> = { signal: abortSignal, onProgress: callback };
const IS_DEVICE = having('a GPUDevice', 'createBuffer', 'createComputePipelineAsync');
const IS_FOLDER = having('model files, of openFolder or openUrl,', 'open');

/** The condition tokens of the official models. */
const MAX_LENGTH = 120;
/** Layers at a time where the device has not the memory for all. */
const FEW_LAYERS = 3;
/** Tells how matrices are stored. */
const FIRST_MATRIX = 'encoder.block.0.layer.1.DenseReluDense.wo.weight';

/**
 * Loads the text encoder of a model folder: `t5.json` with `t5.safetensors`, or a folder `t5` as the
 * model hub has it. The embedding table stays in its file, of which prompts read rows.
 * @throws OptionError when an option is unknown or not what it should be; WeightsError when a file is
 * missing, broken or of another kind of model; DeviceError when the device cannot hold a layer.
 */
export async function loadTextEncoder(
  device: GPUDevice,
  files: ModelFiles,
  options: TextEncoderOptions = {},
): Promise<T5Encoder> {
  const { maxLength = MAX_LENGTH } = options;
  const checked = await checkEncoder(device, files, options);
  const { config, precision, modelDigest, fingerprint } = checked;
  const memory = new Memory(device);
  const on = { ...checked, memory, precision };
  const layers = await loadLayers(on, options);
  const exclusive = queue(memory.watch);
  return {
    ...{ dim: config.dim, maxLength, config, modelDigest, fingerprint },
    layersAtOnce: layers.groups[0]?.count ?? 0,
    get memory() {
      return memory.use;
    },
    get peakBytes() {
      return memory.peakBytes;
    },
    async encode(ids, encodeOptions = {}) {
      checkOptions('encode', encodeOptions, ENCODE);
      checkIds(ids, config, maxLength);
      // The caller's arrays may change before it is their turn.
      const given = ids.map((prompt) => [...prompt]);
      return exclusive(() => encodePrompts(on, layers, given, encodeOptions));
    },
    destroy: () =>
      memory.close(
        new DeviceError('destroyed', 'the text encoder was destroyed: load it again to use it'),
      ),
  };
}

/** What tells the features of an encoder from those of another. */
export type EncoderIdentity = Pick<T5Encoder, 'dim' | 'modelDigest' | 'fingerprint'>;

/**
 * What an encoder that is loaded with these options says of itself, without loading it: features that
 * were made before may do.
 * @throws As `loadTextEncoder`.
 */
export async function identifyTextEncoder(
  device: GPUDevice,
  files: ModelFiles,
  options: TextEncoderOptions = {},
): Promise<EncoderIdentity> {
  const { config, modelDigest, fingerprint } = await checkEncoder(device, files, options);
  return { dim: config.dim, modelDigest, fingerprint };
}

interface CheckedEncoder extends EncoderFiles {
  readonly precision: Precision;
  readonly modelDigest: string;
  readonly fingerprint: string;
}

/** Reads headers and samples, and checks all that can be checked before weights are loaded. */
async function checkEncoder(
  device: GPUDevice,
  files: ModelFiles,
  options: TextEncoderOptions,
): Promise<CheckedEncoder> {
  checkValue('device', device, IS_DEVICE);
  checkValue('files', files, IS_FOLDER);
  checkOptions('loadTextEncoder', options, LOAD);
  checkVariant(options.variant);
  const { signal } = options;
  signal?.throwIfAborted();
  const opened = await openEncoder(files);
  const { config, file } = opened;
  const precision = encoderPrecision(device, file, options);
  const weights = groupsOf({ ...opened, precision }, config.nLayer).flatMap((all) => all.weights);
  const model = { model: 'the T5 v1.1 encoder that its config describes', ignore: T5_UNREAD };
  matchTensors(file, wantedTensors(file, weights), model);
  checkLimits(device, file.name, weights);
  const modelDigest = await sampleDigest(opened, signal);
  const { digest } = await fingerprintOf({
    model: { name: 'T5', weights: [modelDigest], config },
    ...{ adapter: device.adapterInfo, precision },
  });
  return { ...opened, precision, modelDigest, fingerprint: digest };
}

/** Sums and what is multiplied are f32, as activations are too large for halves. */
function encoderPrecision(
  device: GPUDevice,
  { tensors }: Safetensors,
  { dtype = 'auto', tiles, variant, maxBindingBytes }: TextEncoderOptions,
): Precision {
  const { dtype: file } = tensors.get(FIRST_MATRIX) ?? {};
  const stored = file === 'BF16' ? 'bf16' : file === 'F16' ? 'f16' : 'f32';
  const chosen = dtype === 'auto' ? chooseWeightDtype(adapterFacts(device), stored) : dtype;
  const own = tiles && Object.fromEntries(Object.entries(tiles).filter((t) => !roundsToHalves(t)));
  const options = { precision: 'exact', tiles: own, variant, maxBindingBytes } as const;
  return precisionFor(device, options, { dtype: chosen });
}

/**
 * Loads all layers, or says in which groups they are to be loaded.
 * @throws OptionError when not even one layer is within `maxWeightBytes`.
 */
async function loadLayers(
  on: EncoderOn,
  { maxWeightBytes, signal, onProgress }: TextEncoderOptions,
): Promise<Layers> {
  const { memory } = on;
  const most = maxWeightBytes ?? Number.POSITIVE_INFINITY;
  const groups = groupsWithin(on, most);
  const [all] = groups;
  if (groups.length > 1 || !all) return { groups };
  try {
    return { groups, resident: await loadGroup(on, all, { signal, onProgress }) };
  } catch (error) {
    memory.freeAll();
    const isFull = error instanceof DeviceError && error.problem === 'out-of-memory';
    const few = groupsOf(on, FEW_LAYERS);
    if (!isFull || maxWeightBytes !== undefined || few.length === 1) throw error;
    return { groups: few };
  }
}

/** @throws OptionError that says which prompt cannot be encoded, and why. */
function checkIds(ids: unknown, { vocabSize }: T5Config, maxLength: number): void {
  if (!Array.isArray(ids) || ids.length === 0) {
    throw new OptionError(`"ids" expected token ids of at least one prompt, got ${show(ids)}`);
  }
  for (const [n, prompt] of ids.entries()) {
    const where = `"ids": prompt ${n}`;
    if (!Array.isArray(prompt)) {
      throw new OptionError(`${where} expected an array of token ids, got ${show(prompt)}`);
    }
    if (prompt.length === 0) {
      throw new OptionError(`${where} has no tokens: even an empty text has its end token`);
    }
    if (prompt.length > maxLength) {
      throw new OptionError(
        `${where} has ${prompt.length} tokens, and this encoder takes ${maxLength} at most ("maxLength"): let the tokenizer cut it`,
      );
    }
    const bad = prompt.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
    if (bad < 0) continue;
    throw new OptionError(
      `${where}: token ${bad} expected an id from 0 to ${vocabSize - 1}, got ${show(prompt[bad])}: is the tokenizer that of this encoder?`,
    );
  }
}
