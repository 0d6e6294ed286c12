/** The forms in which torch pickles a tensor. */
import { expect, test } from 'vitest';
import { unpickle } from '../../../src/weights/pt/unpickle.ts';
import { type PtObject, PtTensor } from '../../../src/weights/pt/values.ts';
import * as p from '../../support/pickle.ts';

const value = (code: p.Code) => unpickle('file', p.pickle(code))?.value;

const data = p.tensor({ key: '0', elements: 6, shape: [2, 3] });
const hooks = p.call(p.global('collections', 'OrderedDict'));
/** Arguments for a tensor of [2, 3] on a storage of 24 elements. */
const args = (storage: p.Code, ...more: p.Code): p.Code => [
  [p.tuple(p.text('storage'), storage, p.text('0'), p.text('cuda:0'), p.long(24)), 0x51],
  ...[p.long(0), p.tuple(p.long(2), p.long(3)), p.tuple(p.long(3), p.long(1)), ...more],
];
const utils = (name: string): p.Code => p.global('torch._utils', name);
const fromType = (make: string, type: p.Code, made: p.Code): p.Code =>
  p.call(p.global('torch._tensor', '_rebuild_from_type_v2'), utils(make), type, made, p.NONE);
const untyped = args(p.global('torch.storage', 'UntypedStorage'), p.FALSE, hooks);
const floats = args(p.global('torch', 'FloatStorage'), p.FALSE, hooks);
const float32 = p.global('torch', 'float32');

test.each<[string, p.Code, string]>([
  [
    'a parameter with attributes',
    p.call(utils('_rebuild_parameter_with_state'), data, p.TRUE, hooks, p.dict({ a: p.TRUE })),
    'F32',
  ],
  [
    'a tensor with attributes',
    fromType('_rebuild_tensor_v2', p.global('torch', 'Tensor'), p.tuple(...floats)),
    'F32',
  ],
  [
    'a parameter by its type',
    fromType(
      '_rebuild_parameter',
      p.global('torch.nn.parameter', 'Parameter'),
      p.tuple(data, p.TRUE, hooks),
    ),
    'F32',
  ],
  [
    'a tensor of before 2018',
    p.call(utils('_rebuild_tensor'), ...args(p.global('torch', 'FloatStorage'))),
    'F32',
  ],
  ['a tensor of untyped bytes', p.call(utils('_rebuild_tensor_v3'), ...untyped, float32), 'F32'],
  [
    'one of halves',
    p.call(utils('_rebuild_tensor_v3'), ...untyped, p.global('torch', 'bfloat16'), p.dict({})),
    'BF16',
  ],
  [
    'one of unsigned numbers, by its type',
    fromType(
      '_rebuild_tensor_v3',
      p.global('torch', 'Tensor'),
      p.tuple(...untyped, p.global('torch', 'uint16')),
    ),
    'U16',
  ],
  ['bytes', p.call(utils('_rebuild_tensor_v2'), ...untyped), 'U8'],
  [
    'a complex one',
    p.call(utils('_rebuild_tensor_v2'), ...args(p.global('torch', 'ComplexFloatStorage'))),
    'C64',
  ],
  [
    'a quantised one',
    p.call(
      utils('_rebuild_qtensor'),
      ...args(p.global('torch', 'QInt8Storage'), p.tuple(p.NONE), p.FALSE),
    ),
    'QINT8',
  ],
  [
    'one of packed bits',
    p.call(utils('_rebuild_qtensor'), ...args(p.global('torch', 'QUInt4x2Storage'))),
    'QUINT4x2',
  ],
])('%s', (_, code, dtype) => {
  const made = value([code]) as PtTensor;
  expect(made).toBeInstanceOf(PtTensor);
  expect(made).toMatchObject({ shape: [2, 3], stride: [3, 1], offset: 0, dtype });
});

test('or one whose type is unknown stays opaque, by the name of the type', () => {
  const made = [
    p.call(utils('_rebuild_tensor_v3'), ...untyped, p.global('torch', 'float2')),
    fromType('_rebuild_tensor_v2', p.global('torch', 'float2'), p.tuple(...floats)),
    fromType('float2', p.global('torch', 'Tensor'), p.tuple(...floats)),
    p.call(utils('_rebuild_parameter'), p.call(p.global('torch', 'float2')), p.TRUE, hooks),
  ].map((code) => value([code]) as PtObject);
  expect(made.map(({ className }) => className.split('.').at(-1))).toEqual(Array(4).fill('float2'));
});
