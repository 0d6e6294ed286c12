/** How the weights of a model are stored on a device, and how near to f32 it computes. */
import type { MatrixDType, QuantDType, TableDType, Variant } from '../../kernels/kernel.ts';
import { isQuantised } from '../../kernels/lib/quants.ts';
import { variantRules } from '../../kernels/lib/rules.ts';
import { OptionError } from '../errors.ts';
import { adapterFacts, bindingLimit, chooseWeightDtype, variantOf } from '../gpu/variants.ts';
import {
  PRECISIONS,
  type Precision,
  type PrecisionName,
  WEIGHT_DTYPES,
  type WeightDTypeOption,
} from '../models/precision.ts';
import { knownTiles } from '../ops/known-adapters.ts';
import { forcedOf, roundsToHalves, type Tiles } from '../ops/tiles.ts';
import { type Checks, checkOptions, checkValue, having, integer, oneOf } from '../options.ts';
import { quantDTypeOf, storageOf } from '../weights/quantize.ts';
import type { Safetensors } from '../weights/safetensors.ts';

/** How a model is put on a device. */
export interface PrecisionOptions {
  /**
   * How near to f32 results are (`PrecisionName`). Default `fast`; `exact` on software adapters, where
   * halves gain nothing, unless an f16 cache is asked for.
   */
  readonly precision?: PrecisionName | undefined;
  /**
   * Storage of the decoder's matrices on the device. Default `auto`: as they are stored, but f32 on
   * software adapters (`chooseWeightDtype`). int8 and int4 are made of floats while they are loaded;
   * a file that stores integers can be loaded as it is only.
   */
  readonly dtype?: WeightDTypeOption | undefined;
  /** Storage of the KV cache. Default f32 in `exact`, f16 in `fast`. */
  readonly kvDtype?: 'f32' | 'f16' | undefined;
  /** Weights above this are cut into parts. Default: what the device can bind. */
  readonly maxBindingBytes?: number | undefined;
  /** Overrides the kernel variant chosen from the adapter's features. */
  readonly variant?: Partial<Variant> | undefined;
  /**
   * Tiles that differ from the kernels' own choices: those that were measured on the device or forced, as
   * `openDevice` gives them, or `tunedTiles` in the browser. Default: those that this version knows of
   * the adapter.
   */
  readonly tiles?: Tiles | undefined;
}

export const PRECISION_CHECKS: Checks<PrecisionOptions> = {
  precision: oneOf(PRECISIONS),
  dtype: oneOf(WEIGHT_DTYPES),
  kvDtype: oneOf(['f32', 'f16']),
  maxBindingBytes: integer(1),
  variant: having('an object with parts of a variant'),
  tiles: having('an object of tiles'),
};

/** @throws OptionError when it has an unknown part, or one that is not what it should be. */
export function checkVariant(variant: Partial<Variant> = {}): void {
  checkOptions('variant', variant, variantRules());
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
  checkValue('dtype', asked, PRECISION_CHECKS.dtype);
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

/**
 * The settings of a network with given storage.
 * @throws OptionError when what is asked for contradicts `exact`.
 */
export function precisionFor(
  device: GPUDevice,
  options: PrecisionOptions,
  dtypes: Pick<Precision, 'dtype' | 'headDtype' | 'tableDtype'>,
): Precision {
  const { kvDtype, maxBindingBytes = bindingLimit(device) } = options;
  const variant = { ...variantOf(device), ...options.variant };
  const { tiles = knownTiles(device.adapterInfo, variant) } = options;
  const { software } = adapterFacts(device);
  const { precision = software && kvDtype !== 'f16' ? 'exact' : 'fast' } = options;
  const isExact = precision === 'exact';
  if (isExact) checkExact(kvDtype, tiles);
  return {
    variant: { ...variant, halves: !isExact },
    tiles: isExact ? withoutHalves(tiles) : tiles,
    ...dtypes,
    kvDtype: kvDtype ?? (isExact ? 'f32' : 'f16'),
    maxBindingBytes,
  };
}

function checkExact(kvDtype: 'f32' | 'f16' | undefined, tiles: Tiles): void {
  if (kvDtype === 'f16') {
    throw new OptionError(
      '"kvDtype" f16 contradicts the precision exact, which has an f32 cache: leave one of them out',
    );
  }
  const forced = Object.entries(forcedOf(tiles)).find(roundsToHalves);
  if (forced) {
    const [family, { math }] = forced;
    throw new OptionError(
      `"precision" exact multiplies no values rounded to halves, as the forced ${family}.math=${math} does: leave one of them out`,
    );
  }
}

/** Tiles that were measured without those that `exact` excludes: there the kernels' own choices are taken. */
const withoutHalves = (tiles: Tiles): Tiles =>
  Object.fromEntries(Object.entries(tiles).filter((entry) => !roundsToHalves(entry)));
