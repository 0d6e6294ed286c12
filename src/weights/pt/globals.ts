/**
 * The classes and functions a pickle may name, and what each becomes. Nothing of Python is run: a
 * global that is not in this table is an error.
 */
import type { FileDType } from '../safetensors.ts';
import {
  describeValue,
  PtDict,
  PtGlobal,
  PtObject,
  PtSet,
  PtStorage,
  PtTensor,
  type PtValue,
} from './values.ts';

/** What a call may use. */
export interface CallContext {
  /** Throws the WeightsError for the pickle. */
  fail(message: string): never;
  /**
   * Counts items or bytes that a call copies. A pickle may call over one remembered value many
   * times, so all copies together must stay below the pickle's own size.
   */
  copied(count: number): void;
}

/** Makes the value that a global gives for positional arguments. */
export type Call = (args: readonly PtValue[], context: CallContext) => PtValue;

/** Element types of storages, by their class in `torch`. */
export const STORAGES: ReadonlyMap<string, FileDType> = new Map([
  ['torch.FloatStorage', 'F32'],
  ['torch.DoubleStorage', 'F64'],
  ['torch.HalfStorage', 'F16'],
  ['torch.BFloat16Storage', 'BF16'],
  ['torch.LongStorage', 'I64'],
  ['torch.IntStorage', 'I32'],
  ['torch.ShortStorage', 'I16'],
  ['torch.CharStorage', 'I8'],
  ['torch.ByteStorage', 'U8'],
  ['torch.BoolStorage', 'BOOL'],
]);

/** Most dimensions of a tensor (torch allows 64). */
const MAX_RANK = 64;

/** Everything that may be called. */
export const CALLS: ReadonlyMap<string, Call> = new Map<string, Call>([
  ['collections.OrderedDict', orderedDict],
  ['argparse.Namespace', () => new PtObject(new PtGlobal('argparse.Namespace'))],
  ['torch._utils._rebuild_tensor_v2', rebuildTensor],
  ['torch._utils._rebuild_parameter', rebuildParameter],
  ['torch.Size', ([sizes = []], context) => asList(sizes, 'torch.Size', context)],
  ['_codecs.encode', encode],
  ['builtins.set', set],
  ['builtins.frozenset', set],
  // How protocol 2 writes b''.
  ['builtins.bytes', bytes],
]);

/** Python 2 names of modules, which protocol 2 still writes. */
const MODULES: Readonly<Record<string, string>> = { __builtin__: 'builtins' };

/** The full name of a global; undefined when it is not allowed. */
export function allowedGlobal(module: string, name: string): string | undefined {
  const full = `${MODULES[module] ?? module}.${name}`;
  return CALLS.has(full) || STORAGES.has(full) ? full : undefined;
}

function orderedDict(args: readonly PtValue[], context: CallContext): PtDict {
  const dict = new PtDict();
  const pairs = asList(args[0] ?? [], 'OrderedDict', context);
  context.copied(pairs.length);
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      context.fail(`OrderedDict expected pairs, got ${describeValue(pair)}`);
    }
    const [key = null, value = null] = pair;
    dict.entries.set(key, value);
  }
  return dict;
}

function set(args: readonly PtValue[], context: CallContext): PtSet {
  return new PtSet(asList(args[0] ?? [], 'set', context));
}

function bytes(args: readonly PtValue[], { fail }: CallContext): Uint8Array {
  if (args.length > 0) fail(`bytes() expected no argument, got ${describeValue(args[0])}`);
  return new Uint8Array(0);
}

/** How protocol 2 writes bytes: as text with one character each. */
function encode([text, encoding]: readonly PtValue[], context: CallContext): Uint8Array {
  if (typeof text !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1')) {
    context.fail(
      `_codecs.encode expected a text and "latin1", got ${describeValue(text)} and ${describeValue(encoding)}`,
    );
  }
  context.copied(text.length);
  const result = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) context.fail(`_codecs.encode got the character U+${code.toString(16)}`);
    result[i] = code;
  }
  return result;
}

/** Arguments: storage, offset, size, stride, requires_grad, hooks and, in newer files, metadata. */
function rebuildTensor(args: readonly PtValue[], context: CallContext): PtTensor {
  const [storage, offset, size = null, stride = null] = args;
  if (!(storage instanceof PtStorage)) {
    return context.fail(`a tensor expected a storage, got ${describeValue(storage)}`);
  }
  const shape = counts(size, 'size', context);
  const steps = counts(stride, 'stride', context);
  if (!isCount(offset)) {
    return context.fail(`a tensor expected an offset from 0 up, got ${describeValue(offset)}`);
  }
  if (shape.length !== steps.length || shape.length > MAX_RANK) {
    context.fail(`a tensor has size [${shape}] and stride [${steps}]: their lengths differ`);
  }
  return new PtTensor(storage, shape, steps, offset);
}

/** Arguments: data, requires_grad, hooks. */
function rebuildParameter([data]: readonly PtValue[], context: CallContext): PtTensor {
  if (data instanceof PtTensor) return data;
  return context.fail(`a parameter expected a tensor, got ${describeValue(data)}`);
}

function counts(value: PtValue, what: string, context: CallContext): number[] {
  if (!Array.isArray(value) || value.length > MAX_RANK || !value.every(isCount)) {
    return context.fail(
      `a tensor expected as ${what} at most ${MAX_RANK} whole numbers from 0 up, got ${describeValue(value)}`,
    );
  }
  context.copied(value.length);
  return [...value];
}

function asList(value: PtValue, what: string, { fail }: CallContext): PtValue[] {
  return Array.isArray(value)
    ? value
    : fail(`${what} expected a list or tuple, got ${describeValue(value)}`);
}

/** Whether a value is a whole number from 0 up. */
export const isCount = (value: PtValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
