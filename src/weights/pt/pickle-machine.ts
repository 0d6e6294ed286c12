/** The machine that a pickle drives: its stack, what it remembers, and what an opcode may do. */
import { WeightsError } from '../../errors.ts';
import type { CallContext } from './calls.ts';
import { STORAGES } from './dtypes.ts';
import { CALLS, globalOf } from './globals.ts';
import { PickleBytes } from './pickle-bytes.ts';
import { PickleStack } from './pickle-stack.ts';
import {
  describeValue,
  PtDict,
  PtGlobal,
  PtObject,
  PtSet,
  PtStorage,
  type PtValue,
} from './values.ts';

/** Most remembered values. */
const MAX_REMEMBERED = 2 ** 20;
/** Longest whole number, in bytes. */
const MAX_INTEGER_BYTES = 256;
/** Longest name of a module or of a class in it. */
const MAX_NAME_BYTES = 256;

const [LOWEST_PROTOCOL, HIGHEST_PROTOCOL] = [2, 5];

/** State between two opcodes; `opcodes.ts` says what each of them calls. */
export class PickleMachine {
  readonly in: PickleBytes;
  readonly stack: PickleStack;
  /** Every storage that the pickle names, by its key. */
  readonly storages: Map<string, PtStorage> = new Map();
  /** Where the opcode that runs stands, for messages. */
  opcodeAt = 0;
  readonly #where: string;
  readonly #memo = new Map<number, PtValue>();
  readonly #context: CallContext;
  #copyable: number;

  constructor(where: string, bytes: Uint8Array) {
    this.#where = where;
    this.in = new PickleBytes(bytes);
    this.#copyable = bytes.length;
    this.stack = new PickleStack((message) => this.fail(message));
    this.#context = {
      fail: (message) => this.fail(message),
      copied: (count) => {
        this.#copyable -= count;
        if (this.#copyable < 0) this.fail('calls copy more than the pickle holds');
      },
    };
  }

  fail(message: string): never {
    throw new WeightsError(`${this.#where}: at byte ${this.opcodeAt} of the pickle: ${message}`);
  }

  /** Reads the number behind PROTO. */
  protocol(): void {
    const protocol = this.in.u8();
    if (protocol < LOWEST_PROTOCOL || protocol > HIGHEST_PROTOCOL) {
      this.fail(
        `protocol ${protocol} is not one of ${LOWEST_PROTOCOL} to ${HIGHEST_PROTOCOL}: not a checkpoint of torch.save`,
      );
    }
  }

  /** Pushes the text of the next `length` bytes. */
  text(length: number): void {
    this.stack.push(this.in.text(length) ?? this.fail('a text is not UTF-8'));
  }

  /** Pushes the whole number of the next `length` bytes. */
  integer(length: number): void {
    if (length > MAX_INTEGER_BYTES) this.fail(`a whole number of ${length} bytes is too long`);
    this.stack.push(this.in.integer(length));
  }

  /** Adds items to the list or set on top; lists of another class stay without theirs. */
  append(values: readonly PtValue[]): void {
    const target = this.stack.top();
    if (target instanceof PtObject) return;
    const items = target instanceof PtSet ? target.items : target;
    if (!Array.isArray(items)) {
      this.fail(`an item is added to ${describeValue(target)}, which is no list`);
    }
    for (const value of values) items.push(value);
  }

  /** Sets keys of the dict on top, of whatever class. */
  setItems(flat: readonly PtValue[]): void {
    const target = this.stack.top();
    if (!(target instanceof PtDict || target instanceof PtObject)) {
      this.fail(`an item is set in ${describeValue(target)}, which is no dict`);
    }
    if (flat.length % 2 !== 0) this.fail('a key has no value');
    const items = target instanceof PtDict ? target.entries : itemsFor(target);
    for (let i = 0; i < flat.length; i += 2) items.set(flat[i] as PtValue, flat[i + 1] as PtValue);
  }

  /** Remembers the top, by default under the next number. */
  remember(index: number = this.#memo.size): void {
    this.#memo.set(index, this.stack.top());
    if (this.#memo.size > MAX_REMEMBERED) this.fail('the pickle remembers too many values');
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) this.fail(`nothing is remembered under ${index}`);
    this.stack.push(value);
  }

  /** Pushes the global whose names follow, a line each. */
  namedGlobal(): void {
    const module = this.in.line(MAX_NAME_BYTES);
    this.#global(module, this.in.line(MAX_NAME_BYTES));
  }

  /** Pushes the global whose module and name are on the stack. */
  stackGlobal(): void {
    const [module, name] = this.stack.popMany(2);
    this.#global(module, name);
  }

  /** Calls the function below the top with the arguments on top. */
  call(): void {
    const [target, args] = this.stack.popMany(2);
    this.#call(target, args);
  }

  /** Makes an object of the class below its arguments and keywords. */
  callWithKeywords(): void {
    const [target, args] = this.stack.popMany(3);
    this.#call(target, args);
  }

  /** A persistent id: ('storage', class, key, device, elements), in old files a view after it. */
  persistent(): void {
    const id = this.stack.pop();
    // Old files give the source of a network's class: ('module', class, file, source).
    if (Array.isArray(id) && id[0] === 'module' && id[1] instanceof PtGlobal) {
      this.stack.push(id[1]);
    } else this.#storage(id);
  }

  #storage(id: PtValue): void {
    if (!Array.isArray(id) || id[0] !== 'storage' || id.length < 5) {
      this.fail(`a persistent id expected a storage, got ${describeValue(id)}`);
    }
    const [, type, key, , length, view = null] = id;
    const dtype = type instanceof PtGlobal ? STORAGES.get(type.name) : undefined;
    if (!dtype) this.fail(`${describeValue(type)} is no class of storages`);
    if (typeof key !== 'string') this.fail(`a storage has the key ${describeValue(key)}`);
    if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0) {
      this.fail(
        `storage ${describeValue(key)} expected a number of elements, got ${describeValue(length)}`,
      );
    }
    if (view !== null) {
      this.fail(
        `storage ${describeValue(key)} is a view of another, as torch before 0.4 wrote them: save it again`,
      );
    }
    const known = this.storages.get(key) ?? new PtStorage(dtype, key, length);
    if (known.dtype !== dtype || known.length !== length) {
      this.fail(
        `storage ${describeValue(key)} is both ${known.dtype}[${known.length}] and ${dtype}[${length}]`,
      );
    }
    this.storages.set(key, known);
    this.stack.pushNew(known);
  }

  /** Sets the state of the value below the top. An OrderedDict keeps its items only. */
  build(): void {
    const state = this.stack.pop();
    const target = this.stack.top();
    if (target instanceof PtObject) target.state = state;
    else if (!(target instanceof PtDict)) {
      this.fail(`a state is set for ${describeValue(target)}`);
    }
  }

  #global(module: PtValue | undefined, name: PtValue | undefined): void {
    if (!isName(module) || !isName(name)) this.fail('a global has no readable name');
    this.stack.pushNew(globalOf(module, name, this.opcodeAt));
  }

  #call(target: PtValue | undefined, args: PtValue | undefined): void {
    if (!Array.isArray(args)) this.fail('a call has no tuple of arguments');
    this.stack.pushNew(this.#made(target, args));
  }

  /** What a known function makes; of any other, what it would be called with. */
  #made(target: PtValue | undefined, args: PtValue[]): PtValue {
    // E.g. a `functools.partial`, through which a class with keywords is called.
    if (target instanceof PtObject) return new PtObject(target.maker, args);
    if (target instanceof PtGlobal) {
      if (target.foreignAt !== undefined) return new PtObject(target, args);
      const call = CALLS.get(target.name);
      if (call) return call(args, this.#context);
    }
    return this.fail(`${describeValue(target)} is called, which is no function`);
  }
}

/** Longer names would take long: one text may be named many times. */
const isName = (value: PtValue | undefined): value is string =>
  typeof value === 'string' && value.length <= MAX_NAME_BYTES;

function itemsFor(target: PtObject): Map<PtValue, PtValue> {
  target.items ??= new Map();
  return target.items;
}
