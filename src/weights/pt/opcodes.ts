/** What each opcode does: those of pickle protocols 2 to 5 that `torch.save` can write. */
import type { PickleMachine } from './pickle-machine.ts';
import { PtDict, PtSet } from './values.ts';

/** Ends a pickle; its value is on top. */
export const STOP = 0x2e;
/** Begins a pickle. */
export const PROTO = 0x80;

type Act = (machine: PickleMachine) => void;

const tuple =
  (count: number): Act =>
  ({ stack }) =>
    stack.pushNew(stack.popMany(count));
const tupleSinceMark: Act = ({ stack }) => stack.pushNew(stack.sinceMark());
const emptyArray: Act = ({ stack }) => stack.pushNew([]);
const shortBytes: Act = (m) => m.stack.push(m.in.take(m.in.u8()));
const longBytes: Act = (m) => m.stack.push(m.in.take(m.in.u64()));
const addItems: Act = (m) => m.append(m.stack.sinceMark());
const call: Act = (m) => m.call();

/** By opcode; STOP is left to the loop. */
export const OPCODES: ReadonlyMap<number, Act> = new Map<number, Act>([
  [PROTO, (m) => m.protocol()],
  [0x95, (m) => void m.in.take(8)], // FRAME: only says how far to read ahead
  // The stack
  [0x28, ({ stack }) => stack.mark()], // MARK
  [0x30, ({ stack }) => stack.discard()], // POP
  [0x31, ({ stack }) => void stack.sinceMark()], // POP_MARK
  [0x32, ({ stack }) => stack.push(stack.top())], // DUP
  // Constants and numbers
  [0x4e, ({ stack }) => stack.push(null)], // NONE
  [0x88, ({ stack }) => stack.push(true)], // NEWTRUE
  [0x89, ({ stack }) => stack.push(false)], // NEWFALSE
  [0x4b, (m) => m.stack.push(m.in.u8())], // BININT1
  [0x4d, (m) => m.stack.push(m.in.u16())], // BININT2
  [0x4a, (m) => m.stack.push(m.in.i32())], // BININT
  [0x8a, (m) => m.integer(m.in.u8())], // LONG1
  [0x8b, (m) => m.integer(m.in.u32())], // LONG4
  [0x47, (m) => m.stack.push(m.in.f64())], // BINFLOAT
  // Texts and bytes
  [0x58, (m) => m.text(m.in.u32())], // BINUNICODE
  [0x8c, (m) => m.text(m.in.u8())], // SHORT_BINUNICODE
  [0x8d, (m) => m.text(m.in.u64())], // BINUNICODE8
  [0x43, shortBytes], // SHORT_BINBYTES
  [0x55, shortBytes], // SHORT_BINSTRING, of Python 2
  [0x54, (m) => m.stack.push(m.in.take(m.in.u32()))], // BINSTRING, of Python 2
  [0x42, (m) => m.stack.push(m.in.take(m.in.u32()))], // BINBYTES
  [0x8e, longBytes], // BINBYTES8
  [0x96, longBytes], // BYTEARRAY8
  // Tuples, lists, dicts and sets
  [0x29, emptyArray], // EMPTY_TUPLE
  [0x5d, emptyArray], // EMPTY_LIST
  [0x85, tuple(1)], // TUPLE1
  [0x86, tuple(2)], // TUPLE2
  [0x87, tuple(3)], // TUPLE3
  [0x74, tupleSinceMark], // TUPLE
  [0x6c, tupleSinceMark], // LIST
  [0x7d, ({ stack }) => stack.pushNew(new PtDict())], // EMPTY_DICT
  [0x8f, ({ stack }) => stack.pushNew(new PtSet([]))], // EMPTY_SET
  [0x91, ({ stack }) => stack.pushNew(new PtSet(stack.sinceMark()))], // FROZENSET
  [0x61, (m) => m.append([m.stack.pop()])], // APPEND
  [0x65, addItems], // APPENDS
  [0x90, addItems], // ADDITEMS
  [0x73, (m) => m.setItems(m.stack.popMany(2))], // SETITEM
  [0x75, (m) => m.setItems(m.stack.sinceMark())], // SETITEMS
  // What is remembered
  [0x71, (m) => m.remember(m.in.u8())], // BINPUT
  [0x72, (m) => m.remember(m.in.u32())], // LONG_BINPUT
  [0x94, (m) => m.remember()], // MEMOIZE
  [0x68, (m) => m.recall(m.in.u8())], // BINGET
  [0x6a, (m) => m.recall(m.in.u32())], // LONG_BINGET
  // Globals, calls and tensors
  [0x63, (m) => m.namedGlobal()], // GLOBAL
  [0x93, (m) => m.stackGlobal()], // STACK_GLOBAL
  [0x52, call], // REDUCE
  [0x81, call], // NEWOBJ
  [0x92, (m) => m.callWithKeywords()], // NEWOBJ_EX
  [0x51, (m) => m.persistent()], // BINPERSID
  [0x62, (m) => m.build()], // BUILD
]);
