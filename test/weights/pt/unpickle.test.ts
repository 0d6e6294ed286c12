/** What the unpickler makes of pickles, and what it refuses. */
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../../src/errors.ts';
import { unpickle } from '../../../src/weights/pt/unpickle.ts';
import {
  type PtDict,
  PtGlobal,
  PtObject,
  type PtSet,
  PtTensor,
} from '../../../src/weights/pt/values.ts';
import * as p from '../../support/pickle.ts';

const value = (code: p.Code, protocol?: number) =>
  unpickle('file', p.pickle(code, protocol))?.value;

describe('values', () => {
  test.each<[string, p.Code, unknown]>([
    ['None', [p.NONE], null],
    ['a long of one byte', [p.long(-5)], -5],
    ['a long that no number holds', [0x8a, 9, new Uint8Array(9).fill(1)], 0x010101010101010101n],
    ['an empty long', [0x8a, 0], 0],
    ['a negative int', [0x4a, Uint8Array.of(0xfb, 0xff, 0xff, 0xff)], -5],
    ['a float', [0x47, Uint8Array.of(0x40, 4, 0, 0, 0, 0, 0, 0)], 2.5],
    ['a text', [p.text('ключ')], 'ключ'],
    ['half a character', [0x58, p.u32(5), Uint8Array.of(0x61, 0xed, 0xb3, 0xbf, 0x62)], 'a\udcffb'],
    ['a tuple', [p.tuple(p.TRUE, p.FALSE)], [true, false]],
    ['a list', [p.list(p.long(1), p.NONE)], [1, null]],
    [
      'bytes',
      [p.call(p.global('_codecs', 'encode'), p.text('\u0000ÿ'), p.text('latin1'))],
      Uint8Array.of(0, 255),
    ],
    ['a value that is remembered', [p.text('a'), 0x71, 7, 0x30, 0x68, 7], 'a'],
    ['a size', [p.call(p.global('torch', 'Size'), p.tuple(p.long(2)))], [2]],
  ])('%s', (_, code, expected) => {
    expect(value(code)).toEqual(expected);
  });

  test('names of protocol 4 come from the stack', () => {
    const code = [
      ...[0x8c, 11, new TextEncoder().encode('collections'), 0x94],
      ...[0x8c, 11, new TextEncoder().encode('OrderedDict'), 0x94],
      ...[0x93, 0x94, p.EMPTY_TUPLE, p.REDUCE, 0x94, 0x68, 1, p.TRUE, 0x73],
    ];
    const dict = value([0x95, new Uint8Array(8), ...code], 4);
    expect((dict as PtDict).entries).toEqual(new Map([['OrderedDict', true]]));
  });

  test('a set, a dict of pairs, and a Namespace with its attributes', () => {
    const set = value([p.call(p.global('__builtin__', 'set'), p.list(p.long(1)))]);
    expect((set as PtSet).items).toEqual([1]);
    const pairs = p.list(p.tuple(p.text('a'), p.long(1)));
    const dict = value([p.call(p.global('collections', 'OrderedDict'), pairs)]);
    expect((dict as PtDict).entries.get('a')).toBe(1);
    const made = [p.global('argparse', 'Namespace'), p.EMPTY_TUPLE, 0x81];
    const namespace = value([...made, p.dict({ lr: p.long(3) }), p.BUILD]) as PtObject;
    expect(namespace.className).toBe('argparse.Namespace');
    expect((namespace.state as PtDict).entries.get('lr')).toBe(3);
  });

  test('a tensor and a parameter of it', () => {
    const tensor = p.tensor({ key: '0', elements: 6, shape: [2, 3] });
    const rebuilt = p.call(
      p.global('torch._utils', '_rebuild_parameter'),
      tensor,
      p.TRUE,
      p.call(p.global('collections', 'OrderedDict')),
    );
    for (const code of [tensor, rebuilt]) {
      const made = value([code]) as PtTensor;
      expect(made).toBeInstanceOf(PtTensor);
      expect([made.shape, made.stride, made.offset]).toEqual([[2, 3], [3, 1], 0]);
      expect(made.storage).toMatchObject({ dtype: 'F32', key: '0', length: 6 });
    }
  });

  test('a pickle that is cut anywhere is not finished', () => {
    const bytes = p.pickle([p.dict({ a: p.tensor({ key: '0', elements: 6, shape: [2, 3] }) })]);
    for (let length = 0; length < bytes.length; length++) {
      expect(unpickle('file', bytes.subarray(0, length))).toBeUndefined();
    }
  });
});

describe('what another global would make stays opaque', () => {
  test.each([
    ['os', 'system'],
    ['posix', 'system'],
    ['builtins', 'eval'],
    ['__builtin__', 'exec'],
    ['builtins', 'getattr'],
    ['subprocess', 'Popen'],
    ['torch', 'load'],
    ['torch._utils', '_rebuild_tensor_v2.__globals__'],
    ['numpy.core.multiarray', '_reconstruct'],
    ['__main__', 'Trainer'],
    ['constructor', 'prototype'],
    ['', ''],
  ])('%s.%s', (module, name) => {
    const global = value([p.global(module, name)]) as PtGlobal;
    expect(global).toBeInstanceOf(PtGlobal);
    expect(global).toMatchObject({ name: `${module}.${name}`, foreignAt: 2 });
    for (const called of [p.REDUCE, p.NEWOBJ]) {
      const made = value([p.global(module, name), p.tuple(p.text('echo')), called]) as PtObject;
      expect(made).toBeInstanceOf(PtObject);
      expect(made).toMatchObject({ args: ['echo'], state: null, items: undefined });
      expect(made.maker).toEqual(global);
    }
  });

  test('also by the opcode of protocol 4, and with keywords', () => {
    expect(value([p.text('os'), p.text('system'), 0x93], 4)).toMatchObject({ foreignAt: 20 });
    const made = value([p.global('a', 'B'), p.tuple(p.long(1)), p.dict({ k: p.NONE }), 0x92], 4);
    expect(made).toMatchObject({ className: 'a.B', args: [1] });
  });

  test('its state and items are kept, a list goes by, a call of it is opaque too', () => {
    const object = p.call(p.global('a', 'B'));
    const full = value([p.items(object, { k: p.TRUE }), p.long(3), p.BUILD]) as PtObject;
    expect(full).toMatchObject({ state: 3, items: new Map([['k', true]]) });
    const listed = value([object, p.NONE, 0x61, p.MARK, p.NONE, p.NONE, 0x65]) as PtObject;
    expect(listed).toMatchObject({ state: null, items: undefined });
    const called = value([object, p.tuple(p.long(7)), p.REDUCE]) as PtObject;
    expect(called).toMatchObject({ className: 'a.B', args: [7] });
  });

  test('the class of a network in an old file, with its source', () => {
    const id = p.tuple(p.text('module'), p.global('models', 'Net'), p.text('net.py'), p.text(''));
    expect(value([id, 0x51])).toMatchObject({ name: 'models.Net' });
  });
});

describe('refused', () => {
  const storage = (...id: p.Code): p.Code => [p.tuple(...id), 0x51];
  const float = p.global('torch', 'FloatStorage');
  const rebuild = (...args: p.Code): p.Code =>
    p.call(p.global('torch._utils', '_rebuild_tensor_v2'), ...args);
  const stored = storage(p.text('storage'), float, p.text('0'), p.text('cpu'), p.long(4));

  test.each<[string, p.Code, string]>([
    ['an opcode of older protocols', [0x49], 'the opcode 0x49 is not one'],
    ['INST', [0x69], 'the opcode 0x69'],
    ['an extension', [0x82, 1], 'the opcode 0x82'],
    ['an out-of-band buffer', [0x97], 'the opcode 0x97'],
    ['a value from an empty stack', [0x85], 'from an empty stack'],
    ['a value from below a mark', [p.NONE, p.MARK, 0x85], 'from an empty stack'],
    ['a value that lies below a mark', [p.NONE, p.MARK, 0x71, 1], 'from an empty stack'],
    ['a mark that is still open', [p.NONE, p.MARK], 'from an empty stack'],
    ['a mark that is not open', [p.NONE, 0x74], 'closes a mark that it did not open'],
    ['leftovers', [p.NONE, p.NONE], '1 values were left over'],
    ['an unknown memory', [0x68, 3], 'nothing is remembered under 3'],
    ['a call of a value', [p.text('f'), p.EMPTY_TUPLE, p.REDUCE], '"f" is called'],
    ['a call of a class of storages', p.call(float), 'is called, which is no function'],
    ['items of a text', [p.text('a'), p.NONE, 0x61], 'added to "a", which is no list'],
    ['keys of a list', [p.EMPTY_LIST, p.NONE, p.NONE, 0x73], 'which is no dict'],
    ['a key without value', [p.EMPTY_DICT, p.MARK, p.NONE, 0x75], 'a key has no value'],
    ['a state for a list', [p.EMPTY_LIST, p.NONE, p.BUILD], 'a state is set for a list'],
    ['text that is not UTF-8', [0x58, p.u32(1), Uint8Array.of(0xff)], 'not UTF-8'],
    ['half a character that is cut', [0x58, p.u32(2), Uint8Array.of(0xed, 0xb3)], 'not UTF-8'],
    [
      'text with other faults',
      [0x58, p.u32(4), Uint8Array.of(0xed, 0xb3, 0xbf, 0xff)],
      'not UTF-8',
    ],
    ['a long of 1000 bytes', [0x8b, p.u32(1000), new Uint8Array(1000)], '1000 bytes is too long'],
    ['a global without end', [0x63, new Uint8Array(2000).fill(65)], 'no readable name'],
    ['a global with a long name', [p.text('a'.repeat(300)), p.text('b'), 0x93], 'no readable name'],
    ['a nested protocol', [0x80, 9], 'protocol 9 is not one of 2 to 5'],
    ['a persistent id of another kind', [p.text('x'), 0x51], 'expected a storage, got "x"'],
    [
      'a storage of no class',
      storage(p.text('storage'), p.text('F'), p.text('0'), p.NONE, p.long(1)),
      '"F" is no class of storages',
    ],
    [
      'a storage of negative size',
      storage(p.text('storage'), float, p.text('0'), p.NONE, p.long(-1)),
      'expected a number of elements, got -1',
    ],
    [
      'a storage of two sizes',
      [stored, storage(p.text('storage'), float, p.text('0'), p.NONE, p.long(5))],
      'storage "0" is both F32[4] and F32[5]',
    ],
    ['a tensor of no storage', rebuild(p.NONE), 'expected a storage, got None'],
    [
      'a negative offset',
      rebuild(stored, p.long(-1), p.EMPTY_TUPLE, p.EMPTY_TUPLE),
      'expected an offset from 0 up, got -1',
    ],
    [
      'a tensor of bytes without an element type',
      p.call(
        p.global('torch._utils', '_rebuild_tensor_v3'),
        stored,
        p.long(0),
        p.tuple(),
        p.tuple(),
      ),
      'expected an element type, got nothing',
    ],
    [
      'a tensor of a type that names no class',
      p.call(p.global('torch._tensor', '_rebuild_from_type_v2'), p.NONE, p.NONE, p.tuple()),
      'expected a function, a class and arguments, got None, None',
    ],
    [
      'a negative size',
      rebuild(stored, p.long(0), p.tuple(p.long(-2)), p.tuple(p.long(1))),
      'expected as size at most 64 whole numbers',
    ],
    [
      'a stride of another length',
      rebuild(stored, p.long(0), p.tuple(p.long(2)), p.EMPTY_TUPLE),
      'their lengths differ',
    ],
    [
      'bytes of another encoding',
      p.call(p.global('_codecs', 'encode'), p.text('a'), p.text('rot13')),
      'rot13',
    ],
    [
      'an OrderedDict of texts',
      p.call(p.global('collections', 'OrderedDict'), p.list(p.text('ab'))),
      'expected pairs',
    ],
  ])('%s', (_, code, message) => {
    expect(() => value(code)).toThrow(WeightsError);
    expect(() => value(code)).toThrow(message);
  });

  test('protocols that are text, or of the future', () => {
    expect(() => unpickle('file', Uint8Array.of(0x28, 0x2e))).toThrow('protocol 2 or newer');
    expect(() => value([p.NONE], 6)).toThrow('protocol 6 is not one of 2 to 5');
  });
});

describe('a short pickle cannot take much memory', () => {
  const many = (count: number, ...code: number[]) =>
    p.pickle([Uint8Array.from({ length: count * code.length }, (_, i) => code[i % code.length]!)]);

  test.each<[string, Uint8Array, string]>([
    ['a million dicts', many(1_000_000, p.EMPTY_DICT, 0x30), 'more than 262144 lists'],
    ['a million lists in each other', many(1_000_000, p.EMPTY_LIST), 'more than 262144 lists'],
    [
      'a million opaque objects',
      many(300_000, ...p.pickle([p.call(p.global('a', 'B')), 0x30]).slice(2, -1)),
      'more than 262144 lists',
    ],
    ['two million marks', many(2_000_000, p.MARK), 'nested too deeply'],
    ['two million values', many(2_000_000, p.NONE), 'nested too deeply'],
  ])('%s', (_, bytes, message) => {
    expect(() => unpickle('file', bytes)).toThrow(message);
  });

  test('one text, copied by many calls', () => {
    const encode = p.global('_codecs', 'encode');
    const once = p.tuple(p.text('x'.repeat(10_000)), p.text('latin1'));
    const again: p.Code = [0x68, 0, 0x68, 1, p.REDUCE, 0x30];
    const code = [encode, 0x71, 0, 0x30, once, 0x71, 1, ...Array<p.Code>(1000).fill(again)];
    expect(() => value(code)).toThrow('calls copy more than the pickle holds');
  });
});
