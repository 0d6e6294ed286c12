/** What an unpickled checkpoint consists of: plain data and tensor handles, nothing that runs. */
import { ELEMENT_BYTES, type PtDType } from './dtypes.ts';

/** Any value of a checkpoint. Tuples, lists and `torch.Size` are arrays. */
export type PtValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PtValue[]
  | PtDict
  | PtSet
  | PtObject
  | PtGlobal
  | PtStorage
  | PtTensor;

/** A `dict` or `OrderedDict`, in its order. Keys of tuples and objects compare by identity. */
export class PtDict {
  readonly entries: Map<PtValue, PtValue> = new Map();
}

/** A `set` or `frozenset`: its items as they were listed. */
export class PtSet {
  readonly items: PtValue[];

  constructor(items: PtValue[]) {
    this.items = items;
  }
}

/**
 * An object whose class is not run: what was called and with what its `__setstate__` would have been
 * given are kept, e.g. an `argparse.Namespace`, a `pathlib.PosixPath` or a class of the user's own.
 */
export class PtObject {
  /** The class or function that would have made it. */
  readonly maker: PtGlobal;
  /** What it would have been called with. */
  readonly args: PtValue[];
  /** What its `__setstate__` would have been given. */
  state: PtValue = null;
  /** Items that were set, of dicts of another class. */
  items: Map<PtValue, PtValue> | undefined;

  constructor(maker: PtGlobal, args: PtValue[] = []) {
    this.maker = maker;
    this.args = args;
  }

  get className(): string {
    return this.maker.name;
  }
}

/** A class or function by name. */
export class PtGlobal {
  /** E.g. `collections.OrderedDict`. */
  readonly name: string;
  /** Where a pickle names it, if it is not one of those that `globals.ts` lists: it stays opaque. */
  readonly foreignAt: number | undefined;

  constructor(name: string, foreignAt?: number) {
    this.name = name;
    this.foreignAt = foreignAt;
  }
}

/** A block of equal elements that tensors are views of. */
export class PtStorage {
  readonly dtype: PtDType;
  /** Names its bytes inside the file. */
  readonly key: string;
  /** Elements. */
  readonly length: number;

  constructor(dtype: PtDType, key: string, length: number) {
    this.dtype = dtype;
    this.key = key;
    this.length = length;
  }
}

/** A view of a storage; `offset` and `stride` count elements of its own type. */
export class PtTensor {
  readonly storage: PtStorage;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly offset: number;
  readonly dtype: PtDType;

  /** @param dtype Where it is not that of the storage. */
  constructor(
    storage: PtStorage,
    shape: readonly number[],
    stride: readonly number[],
    offset: number,
    dtype: PtDType = storage.dtype,
  ) {
    this.storage = storage;
    this.shape = shape;
    this.stride = stride;
    this.offset = offset;
    this.dtype = dtype;
  }
}

/** The items of a `dict`, of whatever class; undefined for anything else. */
export function itemsOf(value: PtValue | undefined): ReadonlyMap<PtValue, PtValue> | undefined {
  if (value instanceof PtDict) return value.entries;
  return value instanceof PtObject ? value.items : undefined;
}

/** Bytes of a storage. */
export const sizeOfStorage = ({ dtype, length }: PtStorage): number =>
  ELEMENT_BYTES[dtype] * length;

/** What a value is, for messages. */
export function describeValue(value: PtValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (value instanceof PtTensor) return `a tensor [${value.shape}]`;
  if (value instanceof PtStorage) return 'a storage';
  if (value instanceof PtDict) return `a dict of ${value.entries.size}`;
  if (value instanceof PtSet) return `a set of ${value.items.length}`;
  if (value instanceof PtObject) return `a ${value.className}`;
  if (value instanceof PtGlobal) return `the global ${value.name}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'string') {
    return value.length > 60 ? `${JSON.stringify(value.slice(0, 60))}...` : JSON.stringify(value);
  }
  return String(value);
}
