/** Writes zip files as torch does, with any lie a test wants, and larger than memory with holes. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { type Code, dict, type PickledTensor, pickle, tensor } from './pickle.ts';

export interface ZipInput {
  readonly name: string;
  /** The data, or the number of zero bytes, which take no space in a sparse file. */
  readonly data: Uint8Array | number;
  /** Compression method; 0 is stored. */
  readonly method?: number;
  /** General purpose flags. Default: bit 3, a data descriptor, as torch writes. */
  readonly flags?: number;
  /** What the central directory claims instead. */
  readonly claimed?: { readonly size?: number; readonly offset?: number };
}

/** Bytes at their places; what is between them is zero. */
export interface Layout {
  readonly parts: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  readonly byteLength: number;
}

const MAX_32 = 0xffffffff;
const ALIGNMENT = 64;

/** Little-endian fields of [bytes, value]. */
function fields(...values: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of values) {
    if (size === 2) view.setUint16(at, value, true);
    else if (size === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += size;
  }
  return bytes;
}

const concat = (...arrays: Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(arrays.reduce((sum, a) => sum + a.length, 0));
  let at = 0;
  for (const array of arrays) {
    bytes.set(array, at);
    at += array.length;
  }
  return bytes;
};

/** Lays out a zip file; zip64 records where a size or an offset needs them, or always. */
export function layoutZip(inputs: readonly ZipInput[], zip64 = false): Layout {
  const parts: { at: number; bytes: Uint8Array }[] = [];
  let at = 0;
  const put = (bytes: Uint8Array): void => {
    parts.push({ at, bytes });
    at += bytes.length;
  };
  const central: Uint8Array[] = [];
  for (const { name, data, method = 0, flags = 8, claimed = {} } of inputs) {
    const label = new TextEncoder().encode(name);
    const header = at;
    const size = typeof data === 'number' ? data : data.length;
    const padding = (ALIGNMENT - ((at + 30 + label.length + 4) % ALIGNMENT)) % ALIGNMENT;
    const extra = concat(fields([2, 0x4246], [2, padding]), new Uint8Array(padding));
    put(
      concat(
        fields([4, 0x04034b50], [2, 45], [2, flags], [2, method], [4, 0], [4, 0], [4, 0], [4, 0]),
        fields([2, label.length], [2, extra.length]),
        label,
        extra,
      ),
    );
    if (typeof data === 'number') at += data;
    else put(data);
    const wide = size >= MAX_32 || zip64;
    if (flags & 8) put(fields([4, 0x08074b50], [4, 0], [wide ? 8 : 4, size], [wide ? 8 : 4, size]));
    central.push(
      centralEntry(label, flags, method, claimed.size ?? size, claimed.offset ?? header, zip64),
    );
  }
  const directory = at;
  put(concat(...central));
  const directoryBytes = at - directory;
  const many = zip64 || directory >= MAX_32;
  if (many) {
    const end = at;
    put(
      concat(
        fields([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0]),
        fields([8, inputs.length], [8, inputs.length], [8, directoryBytes], [8, directory]),
        fields([4, 0x07064b50], [4, 0], [8, end], [4, 1]),
      ),
    );
  }
  put(
    fields(
      ...([
        [4, 0x06054b50],
        [2, 0],
        [2, 0],
        [2, inputs.length],
        [2, inputs.length],
      ] as const),
      ...([
        [4, directoryBytes],
        [4, many ? MAX_32 : directory],
        [2, 0],
      ] as const),
    ),
  );
  return { parts, byteLength: at };
}

function centralEntry(
  label: Uint8Array,
  flags: number,
  method: number,
  size: number,
  offset: number,
  zip64: boolean,
): Uint8Array {
  const wideSize = zip64 || size >= MAX_32;
  const wideOffset = zip64 || offset >= MAX_32;
  const wide = concat(
    wideSize ? fields([8, size], [8, size]) : new Uint8Array(0),
    wideOffset ? fields([8, offset]) : new Uint8Array(0),
  );
  const extra = wide.length > 0 ? concat(fields([2, 1], [2, wide.length]), wide) : wide;
  const narrow = wideSize ? MAX_32 : size;
  return concat(
    fields([4, 0x02014b50], [2, 45], [2, 45], [2, flags], [2, method], [4, 0], [4, 0]),
    fields([4, narrow], [4, narrow], [2, label.length], [2, extra.length], [2, 0], [2, 0], [2, 0]),
    fields([4, 0], [4, wideOffset ? MAX_32 : offset]),
    label,
    extra,
  );
}

/** The file in memory. */
export function assemble({ parts, byteLength }: Layout): Uint8Array {
  const file = new Uint8Array(byteLength);
  for (const { at, bytes } of parts) file.set(bytes, at);
  return file;
}

/** The file on disk, where zeros take no space. */
export function writeSparse(path: string, { parts, byteLength }: Layout): void {
  const file = openSync(path, 'w');
  try {
    ftruncateSync(file, byteLength);
    for (const { at, bytes } of parts) writeSync(file, bytes, 0, bytes.length, at);
  } finally {
    closeSync(file);
  }
}

export interface PtInput extends PickledTensor {
  /** Bytes of the storage, or their number, all zero. */
  readonly data: Uint8Array | number;
}

/** The entries of a `.pt` file of a pickle, with the bytes of its storages by key. */
export function pickleEntries(
  code: Code,
  storages: ReadonlyMap<string, Uint8Array | number> = new Map(),
  protocol = 2,
): ZipInput[] {
  return [
    { name: 'model/data.pkl', data: pickle(code, protocol) },
    ...[...storages].map(([key, data]) => ({ name: `model/data/${key}`, data })),
    { name: 'model/version', data: new TextEncoder().encode('3\n') },
  ];
}

/** What is pickled for tensors. */
const tensorCodes = (tensors: Readonly<Record<string, PtInput>>): Record<string, Code> =>
  Object.fromEntries(Object.entries(tensors).map(([name, input]) => [name, tensor(input)]));

/** The storages of tensors, by key. */
const storagesOf = (tensors: Readonly<Record<string, PtInput>>) =>
  new Map(Object.values(tensors).map(({ key, data }) => [key, data]));

/** The entries of a `.pt` file with the state dict {"model": tensors}. */
export const ptEntries = (tensors: Readonly<Record<string, PtInput>>): ZipInput[] =>
  pickleEntries([dict({ model: dict(tensorCodes(tensors)) })], storagesOf(tensors));

/** A whole `.pt` file in memory. */
export const writePt = (tensors: Readonly<Record<string, PtInput>>): Uint8Array =>
  assemble(layoutZip(ptEntries(tensors)));

/**
 * A whole `.pt` file in memory of anything that holds a state dict.
 * @param save Makes the code of what is saved from that of the state dict.
 */
export function writePtWith(
  tensors: Readonly<Record<string, PtInput>>,
  save: (stateDict: Code) => Code,
  { more = {}, protocol = 2 }: { more?: Readonly<Record<string, Code>>; protocol?: number } = {},
): Uint8Array {
  const stateDict = dict({ ...tensorCodes(tensors), ...more });
  return assemble(layoutZip(pickleEntries(save(stateDict), storagesOf(tensors), protocol)));
}
