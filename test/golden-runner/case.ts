/** Golden cases as files: which there are, what they hold, how far a result may be off. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { openFile } from '../../src/node/files.ts';
import { decodeF32, isWeightDType } from '../../src/weights/convert.ts';
import { openSafetensors, type Safetensors } from '../../src/weights/safetensors.ts';

/** A tensor of `expected.safetensors`: F32 or I32. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export interface GoldenCase {
  readonly name: string;
  readonly kind: string;
  readonly folder: string;
  /** The content of config.json. */
  readonly config: GoldenConfig;
  readonly expected: ReadonlyMap<string, GoldenTensor>;
  /** The header of model.safetensors, where the case has weights. */
  readonly model: Safetensors | undefined;
  /** Largest allowed absolute difference of a float tensor. */
  atol(tensor: string): number;
  /** The same of the image decoder in the precision `fast`; undefined where none is known. */
  fastAtol(tensor: string): number | undefined;
}

/** The fields that runners read; each kind has its own. */
export interface GoldenConfig {
  readonly [field: string]: unknown;
  readonly kind: string;
  readonly name: string;
}

/** Where INDEX.json gives no tolerance for a tensor (the RoPE tables). */
const DEFAULT_ATOL = 2e-6;

interface IndexEntry {
  readonly name: string;
  readonly per_tensor: Readonly<Record<string, { readonly atol?: number }>>;
}

/**
 * The case folders behind a path: the path itself, or all that its INDEX.json lists.
 * @throws OptionError when the path is neither.
 */
export function caseFolders(path: string): readonly string[] {
  if (existsSync(join(path, 'config.json'))) return [path];
  if (!existsSync(join(path, 'INDEX.json'))) {
    throw new OptionError(`${path}: neither a golden set (INDEX.json) nor a case (config.json)`);
  }
  return readIndex(path).map(({ name }) => join(path, name));
}

export function readConfig(folder: string): GoldenConfig {
  return JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
}

export async function openCase(folder: string): Promise<GoldenCase> {
  const config = readConfig(folder);
  const entry = readIndex(dirname(folder)).find(({ name }) => name === basename(folder));
  const fast = readFast(dirname(folder));
  const model = join(folder, 'model.safetensors');
  const expected = join(folder, 'expected.safetensors');
  return {
    name: config.name,
    kind: config.kind,
    folder,
    config,
    expected: existsSync(expected) ? await readTensors(expected) : new Map(),
    model: existsSync(model) ? await openSafetensors(await openFile(model)) : undefined,
    atol: (tensor) => entry?.per_tensor[tensor]?.atol ?? DEFAULT_ATOL,
    fastAtol: (tensor) => fast[config.name]?.[tensor],
  };
}

/** By case and tensor; see `fast-tolerances.ts`. */
function readFast(folder: string): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const path = join(folder, 'fast.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
}

function readIndex(folder: string): readonly IndexEntry[] {
  const path = join(folder, 'INDEX.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : [];
}

/** Every tensor of a file as floats or integers. */
export async function readTensors(path: string): Promise<Map<string, GoldenTensor>> {
  const file = await openSafetensors(await openFile(path));
  const tensors = new Map<string, GoldenTensor>();
  for (const { source, name, dtype, shape, offset, byteLength } of file.tensors.values()) {
    const bytes = await source.read(offset, byteLength);
    if (dtype === 'I32') tensors.set(name, { shape, data: new Int32Array(bytes.slice().buffer) });
    else if (isWeightDType(dtype)) tensors.set(name, { shape, data: decodeF32(dtype, bytes) });
    else throw new WeightsError(`${path}: tensor "${name}" is ${dtype}, expected F32 or I32`);
  }
  return tensors;
}

/** @throws WeightsError when the case lacks the tensor. */
export function tensorOf(golden: GoldenCase, name: string): GoldenTensor {
  const tensor = golden.expected.get(name);
  if (!tensor) throw new WeightsError(`${golden.name}: expected.safetensors has no "${name}"`);
  return tensor;
}

/** @throws WeightsError when the case has no weights. */
export function modelOf(golden: GoldenCase): Safetensors {
  if (!golden.model) throw new WeightsError(`${golden.name}: has no model.safetensors`);
  return golden.model;
}
