/** Writes pickles opcode by opcode, for sound checkpoints and for hostile ones. */

/** Pieces of a pickle: opcodes as numbers, fields as bytes. */
export type Code = readonly (number | Uint8Array | Code)[];

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export const u32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
};

export const text = (value: string): Code => [0x58, u32(utf8(value).length), utf8(value)];

/** Any whole number, as LONG1. */
export const long = (value: number | bigint): Code => {
  const bytes: number[] = [];
  const signed = BigInt(value);
  for (let rest = signed; bytes.length < 9 && !(rest === 0n || rest === -1n); rest >>= 8n) {
    bytes.push(Number(rest & 255n));
  }
  if (signed > 0n && (bytes.at(-1) ?? 0) > 127) bytes.push(0);
  if (signed < 0n && (bytes.at(-1) ?? 0) < 128) bytes.push(255);
  return [0x8a, bytes.length, Uint8Array.from(bytes)];
};

export const NONE = 0x4e;
export const TRUE = 0x88;
export const FALSE = 0x89;
export const MARK = 0x28;
export const STOP = 0x2e;
export const REDUCE = 0x52;
export const BUILD = 0x62;
export const NEWOBJ = 0x81;
export const EMPTY_TUPLE = 0x29;
export const EMPTY_LIST = 0x5d;
export const EMPTY_DICT = 0x7d;

export const tuple = (...items: Code): Code => [MARK, ...items, 0x74];
export const list = (...items: Code): Code => [EMPTY_LIST, MARK, ...items, 0x65];
export const global = (module: string, name: string): Code => [0x63, utf8(`${module}\n${name}\n`)];
export const call = (target: Code, ...args: Code): Code => [target, tuple(...args), REDUCE];
export const dict = (entries: Readonly<Record<string, Code | number>>): Code =>
  items([EMPTY_DICT], entries);

/** Sets items of a dict of any class. */
export const items = (target: Code, entries: Readonly<Record<string, Code | number>>): Code => [
  target,
  MARK,
  ...Object.entries(entries).flatMap(([key, value]) => [text(key), value]),
  0x75,
];

/** An object of a class: made without `__init__`, then given its attributes. */
export const object = (module: string, name: string, attributes: Code): Code => [
  ...[global(module, name), EMPTY_TUPLE, NEWOBJ, attributes, BUILD],
];

/** A whole pickle of a protocol. */
export function pickle(code: Code, protocol = 2): Uint8Array {
  const bytes: number[] = [0x80, protocol];
  const add = (pieces: Code): void => {
    for (const piece of pieces) {
      if (typeof piece === 'number') bytes.push(piece);
      else if (piece instanceof Uint8Array) for (const byte of piece) bytes.push(byte);
      else add(piece as Code);
    }
  };
  add([...code, STOP]);
  return Uint8Array.from(bytes);
}

export interface PickledTensor {
  /** Class in `torch`. Default: FloatStorage. */
  readonly storage?: string;
  readonly key: string;
  /** Elements of the storage. */
  readonly elements: number;
  readonly shape: readonly number[];
  /** Default: row-major. */
  readonly stride?: readonly number[];
  readonly offset?: number;
}

/** Steps of a row-major tensor. */
export const rowMajor = (shape: readonly number[]): number[] =>
  shape.map((_, i) => shape.slice(i + 1).reduce((n, d) => n * d, 1));

/** What torch pickles for a tensor. */
export function tensor({
  storage = 'FloatStorage',
  key,
  elements,
  shape,
  stride = rowMajor(shape),
  offset = 0,
}: PickledTensor): Code {
  const id = tuple(
    text('storage'),
    global('torch', storage),
    text(key),
    text('cpu'),
    long(elements),
  );
  return call(
    global('torch._utils', '_rebuild_tensor_v2'),
    [id, 0x51],
    long(offset),
    tuple(...shape.map(long)),
    tuple(...stride.map(long)),
    FALSE,
    call(global('collections', 'OrderedDict')),
  );
}
