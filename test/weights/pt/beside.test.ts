/** What training scripts save beside the state dict stays opaque; inside of it, it is refused. */
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../../src/errors.ts';
import { type Checkpoint, openCheckpoint } from '../../../src/weights/checkpoint.ts';
import { memorySource } from '../../../src/weights/source.ts';
import * as p from '../../support/pickle.ts';
import { bytesOf } from '../../support/safetensors.ts';
import { type PtInput, writePtWith } from '../../support/zip.ts';

const floats = bytesOf(Float32Array.from({ length: 24 }, (_, i) => i));
const W: PtInput = { key: '0', elements: 24, shape: [4, 6], data: floats };
const open = (bytes: Uint8Array): Promise<Checkpoint> =>
  openCheckpoint(memorySource('c.pt', bytes));

const NEWOBJ_EX = 0x92;
const raw = (value: string): p.Code =>
  p.call(p.global('_codecs', 'encode'), p.text(value), p.text('latin1'));
const numpyType = (name: string): p.Code => [
  p.call(p.global('numpy', 'dtype'), p.text(name), p.FALSE, p.TRUE),
  ...[p.tuple(p.long(3), p.text('<'), p.NONE, p.NONE, p.NONE, p.long(-1)), p.BUILD],
];
const path = p.call(p.global('pathlib', 'PosixPath'), p.text('runs'), p.text('1'));

/** What Python pickles for these values, shortened where only the length differs. */
const BESIDE: Readonly<Record<string, p.Code>> = {
  'a numpy scalar': p.call(
    p.global('numpy._core.multiarray', 'scalar'),
    numpyType('f8'),
    raw('\0\0\0\0\0\0\u00f8?'),
  ),
  'a numpy array, as of a random state': [
    p.call(
      p.global('numpy.core.multiarray', '_reconstruct'),
      p.global('numpy', 'ndarray'),
      p.tuple(p.long(0)),
      raw('b'),
    ),
    ...[
      p.tuple(p.long(1), p.tuple(p.long(2)), numpyType('u4'), p.FALSE, raw('\u0001\0\0\0ÿ\0\0\0')),
      p.BUILD,
    ],
  ],
  'a Namespace with a path': p.object('argparse', 'Namespace', p.dict({ results_dir: path })),
  'a time': p.call(p.global('datetime', 'datetime'), raw('\u0007è\u0001\u0001\0\0\0\0\0\0')),
  'a Counter': p.call(p.global('collections', 'Counter'), p.dict({ a: p.long(2) })),
  'a defaultdict with a factory': p.items(
    p.call(p.global('collections', 'defaultdict'), p.global('__builtin__', 'list')),
    { a: p.list(p.long(1)) },
  ),
  'a deque': [
    p.call(p.global('collections', 'deque'), p.tuple(), p.long(5)),
    p.MARK,
    p.long(1),
    0x65,
  ],
  'an enum': p.call(p.global('train', 'Mode'), p.long(1)),
  'a flag by its name': p.call(
    p.global('builtins', 'getattr'),
    p.global('re', 'RegexFlag'),
    p.text('I'),
  ),
  'an EasyDict': [
    p.items([p.global('easydict', 'EasyDict'), p.tuple(), p.NEWOBJ], { a: p.long(1) }),
    p.dict({ a: p.long(1) }),
    p.BUILD,
  ],
  'an OmegaConf dict': p.object(
    ...(['omegaconf.dictconfig', 'DictConfig'] as const),
    p.dict({
      _content: p.dict({ a: p.object('omegaconf.nodes', 'AnyNode', p.dict({ _val: p.long(1) })) }),
    }),
  ),
  'a Lightning callback by its class': [
    p.EMPTY_DICT,
    p.global('lightning.callbacks', 'ModelCheckpoint'),
    p.dict({ best: p.NONE }),
    0x73,
  ],
  'a device and an element type': p.dict({
    device: p.call(p.global('torch', 'device'), p.text('cuda'), p.long(0)),
    dtype: p.global('torch', 'bfloat16'),
  }),
  'an object with slots': p.object('train', 'State', p.tuple(p.NONE, p.dict({ step: p.long(3) }))),
  'a class with keywords': [
    p.global('train', 'State'),
    p.tuple(),
    p.dict({ a: p.long(1) }),
    NEWOBJ_EX,
  ],
  'a class with keywords, in protocol 2': [
    [
      p.call(
        p.global('functools', 'partial'),
        p.call(p.global('builtins', 'getattr'), p.global('train', 'State'), p.text('__new__')),
      ),
      p.tuple(p.NONE, p.tuple(), p.dict({}), p.NONE),
      p.BUILD,
    ],
    ...[p.EMPTY_TUPLE, p.REDUCE],
  ],
  'a state given by a function': [
    [p.global('train', 'State'), p.EMPTY_TUPLE, p.REDUCE, 0x71, 99],
    [p.call(p.global('train', 'set_state'), [0x68, 99], p.dict({})), 0x30],
  ],
  'a lambda of cloudpickle': [
    [p.call(p.global('cloudpickle.cloudpickle', '_make_function'), raw('code'), p.NONE)],
    ...[p.tuple(p.dict({}), p.dict({})), p.BUILD],
  ],
  'a sparse tensor': p.call(
    p.global('torch._utils', '_rebuild_sparse_tensor'),
    p.call(p.global('torch.serialization', '_get_layout'), p.text('torch.sparse_coo')),
    p.tuple(),
  ),
  'a tensor of no storage': p.call(
    p.global('torch._utils', '_rebuild_meta_tensor_no_storage'),
    p.global('torch', 'float32'),
  ),
  'a command': p.call(p.global('os', 'system'), p.text('echo')),
  'a path that is not UTF-8': [0x58, p.u32(4), Uint8Array.of(0x61, 0xed, 0xb3, 0xbf)],
  'what holds itself': [p.EMPTY_LIST, 0x71, 98, [0x68, 98], 0x61],
};
const beside = Object.entries(BESIDE);

describe('beside the state dict', () => {
  test.each(beside)('%s', async (_, code) => {
    for (const key of ['args', 'other']) {
      const file = writePtWith({ w: W }, (model) => p.dict({ before: code, model, [key]: code }));
      const { tensors, takenFrom } = await open(file);
      expect(takenFrom).toBe('model');
      expect(await tensors.get('w')!.read(0, 24)).toEqual(floats);
    }
  });

  test('all of them at once, under the names of protocol 4', async () => {
    const everything = p.list(...beside.map(([, code]) => code));
    const file = writePtWith(
      { w: W },
      (model) => p.dict({ model, all: everything, os: [p.text('os'), p.text('system'), 0x93] }),
      { protocol: 4 },
    );
    expect([...(await open(file)).tensors.keys()]).toEqual(['w']);
  });

  test('state dicts inside of a dict of the user, and a state dict that is one', async () => {
    const own = (module: string, name: string): p.Code => [
      p.global(module, name),
      p.tuple(),
      p.NEWOBJ,
    ];
    const around = writePtWith({ w: W }, (model) =>
      p.items(own('easydict', 'EasyDict'), { model }),
    );
    expect((await open(around)).takenFrom).toBe('model');
    const dd = p.call(p.global('collections', 'defaultdict'), p.global('builtins', 'dict'));
    for (const target of [dd, own('easydict', 'EasyDict')]) {
      const file = writePtWith({ w: W }, () =>
        p.dict({ ema: p.items(target, { w: p.tensor(W) }) }),
      );
      expect((await open(file)).takenFrom).toBe('ema');
    }
  });
});

describe('inside of the state dict', () => {
  const foreign = beside.filter(([name]) => !/defaultdict|not UTF-8|itself/.test(name));

  test.each(foreign)('%s is refused by its name', async (_, code) => {
    for (const value of [code, p.list(p.dict({ deep: p.tuple(code) }))]) {
      const file = writePtWith({ w: W }, (model) => p.dict({ model }), { more: { bad: value } });
      const failed = open(file);
      await expect(failed).rejects.toThrow(WeightsError);
      await expect(failed).rejects.toThrow(
        /^c.pt: model\/data.pkl: at byte \d+ of the pickle: the global "[\w.]+" is not one of those a state dict needs: "bad" in "model" is refused, and nothing was run$/,
      );
    }
  });

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
  ])(
    '%s.%s is refused as a value, called or not, and as what makes a tensor',
    async (module, name) => {
      const message = `the global "${module}.${name}" is not one of those`;
      const named = p.global(module, name);
      const rebuilt = p.call(
        p.global('torch._tensor', '_rebuild_from_type_v2'),
        ...[named, p.global('torch', 'Tensor'), p.tuple(), p.dict({})],
      );
      const typed = p.call(
        p.global('torch._tensor', '_rebuild_from_type_v2'),
        ...[p.global('torch._utils', '_rebuild_tensor_v2'), named, p.tuple(), p.dict({})],
      );
      const parameter = p.call(
        p.global('torch._utils', '_rebuild_parameter'),
        p.call(named),
        p.TRUE,
      );
      for (const bad of [named, p.call(named, p.text('echo')), rebuilt, typed, parameter]) {
        for (const save of [(w: p.Code) => w, (model: p.Code) => p.dict({ model })]) {
          const failed = open(writePtWith({ w: W }, save, { more: { bad } }));
          await expect(failed).rejects.toThrow(WeightsError);
          await expect(failed).rejects.toThrow(message);
        }
      }
    },
  );

  test('an object where the state dict should be', async () => {
    const network = p.object('models.gpt', 'Transformer', p.dict({ training: p.TRUE }));
    for (const [save, place] of [
      [network, 'what was saved'],
      [p.dict({ model: network, epoch: p.long(3) }), '"model"'],
    ] as const) {
      const failed = open(writePtWith({}, () => save));
      await expect(failed).rejects.toThrow('the global "models.gpt.Transformer" is not one');
      await expect(failed).rejects.toThrow(`${place}, which is no state dict, is refused`);
    }
  });

  test('a key that is no text', async () => {
    const file = writePtWith({ w: W }, (model) => [model, path, p.NONE, 0x73]);
    await expect(open(file)).rejects.toThrow('the global "pathlib.PosixPath" is not one');
  });

  test('attributes of a tensor and of the state dict are not looked at', async () => {
    const parameter = p.call(
      p.global('torch._utils', '_rebuild_parameter_with_state'),
      ...[p.tensor(W), p.TRUE, p.NONE, p.dict({ weight_loader: p.global('train', 'loader') })],
    );
    const file = writePtWith({ w: W }, (model) => p.dict({ model }), { more: { v: parameter } });
    expect([...(await open(file)).tensors.keys()]).toEqual(['w', 'v']);
  });
});
