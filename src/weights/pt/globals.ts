/**
 * The classes and functions of which it is known what they make, and what that is. Nothing of Python
 * is run: what any other global would make stays opaque.
 */
import type { Call, CallContext } from './calls.ts';
import { STORAGES } from './dtypes.ts';
import { TENSOR_CALLS } from './tensor-calls.ts';
import { describeValue, PtDict, PtGlobal, PtObject, PtSet, type PtValue } from './values.ts';

/** Everything that may be called. */
export const CALLS: ReadonlyMap<string, Call> = new Map<string, Call>([
  ...TENSOR_CALLS,
  ['collections.OrderedDict', orderedDict],
  // Its argument makes values that are missing.
  ['collections.defaultdict', () => new PtDict()],
  ['argparse.Namespace', () => new PtObject(new PtGlobal('argparse.Namespace'))],
  ['torch.Size', ([sizes = []], context) => asList(sizes, 'torch.Size', context)],
  ['_codecs.encode', encode],
  ['builtins.set', set],
  ['builtins.frozenset', set],
  // How protocol 2 writes b''.
  ['builtins.bytes', bytes],
]);

/** Python 2 names of modules, which protocol 2 still writes. */
const MODULES: ReadonlyMap<string, string> = new Map([['__builtin__', 'builtins']]);

/**
 * A global by its names.
 * @param at Where the pickle names it.
 */
export function globalOf(module: string, name: string, at: number): PtGlobal {
  const full = `${MODULES.get(module) ?? module}.${name}`;
  return CALLS.has(full) || STORAGES.has(full)
    ? new PtGlobal(full)
    : new PtGlobal(`${module}.${name}`, at);
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

function asList(value: PtValue, what: string, { fail }: CallContext): PtValue[] {
  return Array.isArray(value)
    ? value
    : fail(`${what} expected a list or tuple, got ${describeValue(value)}`);
}
