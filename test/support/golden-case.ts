/** Reads the cases of test/golden: numbers that the official PyTorch code computed. */
import { readFileSync } from 'node:fs';

const FOLDER = new URL('../golden/', import.meta.url);

export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export interface GoldenCase<C> {
  readonly config: C;
  /** A weight or an input or expected output; throws when the case has none of this name. */
  readonly tensor: (name: string) => GoldenTensor;
  readonly has: (name: string) => boolean;
  /** Largest absolute difference from an expected output that rounding to f32 explains. */
  readonly atol: (name: string) => number;
}

interface IndexEntry {
  readonly name: string;
  readonly per_tensor: Readonly<Record<string, { readonly atol?: number }>>;
}

/** One folder of test/golden. `C` is what its config.json holds. */
export function loadGolden<C>(name: string): GoldenCase<C> {
  const folder = new URL(`${name}/`, FOLDER);
  const config = JSON.parse(readFileSync(new URL('config.json', folder), 'utf8')) as C;
  const tensors = new Map<string, GoldenTensor>();
  for (const file of ['model.safetensors', 'expected.safetensors']) {
    for (const [key, tensor] of readTensors(new URL(file, folder))) tensors.set(key, tensor);
  }
  const index = JSON.parse(readFileSync(new URL('INDEX.json', FOLDER), 'utf8')) as IndexEntry[];
  const notes = index.find((entry) => entry.name === name)?.per_tensor;
  const need = <T>(value: T | undefined, what: string): T => {
    if (value === undefined) throw new Error(`golden case ${name} has no ${what}`);
    return value;
  };
  return {
    config,
    tensor: (key) => need(tensors.get(key), `tensor "${key}"`),
    has: (key) => tensors.has(key),
    atol: (key) => need(notes?.[key]?.atol, `tolerance for "${key}"`),
  };
}

function* readTensors(url: URL): Generator<[string, GoldenTensor]> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(url);
  } catch {
    return; // not every case has weights
  }
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  for (const [name, { dtype, shape, data_offsets: ends }] of Object.entries(header)) {
    if (name === '__metadata__' || (dtype !== 'F32' && dtype !== 'I32')) continue;
    const { buffer } = new Uint8Array(bytes.subarray(start + ends[0], start + ends[1]));
    yield [
      name,
      { shape, data: dtype === 'F32' ? new Float32Array(buffer) : new Int32Array(buffer) },
    ];
  }
}
