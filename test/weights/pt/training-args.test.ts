/** Scalars of the arguments that a training script saved, whatever holds them. */
import { expect, test } from 'vitest';
import { type Checkpoint, openCheckpoint } from '../../../src/weights/checkpoint.ts';
import { memorySource } from '../../../src/weights/source.ts';
import * as p from '../../support/pickle.ts';
import { type PtInput, writePtWith } from '../../support/zip.ts';

const W: PtInput = { key: '0', elements: 6, shape: [2, 3], data: 24 };
const open = (bytes: Uint8Array): Promise<Checkpoint> =>
  openCheckpoint(memorySource('c.pt', bytes));
const path = p.call(p.global('pathlib', 'PosixPath'), p.text('runs'), p.text('1'));

const FIELDS = p.dict({
  image_size: p.long(256),
  gpt_model: p.text('GPT-B'),
  ema: p.TRUE,
  vq_ckpt: p.NONE,
  results_dir: path,
  betas: p.list(p.long(1)),
  _private: p.long(1),
});
const SCALARS = { image_size: 256, gpt_model: 'GPT-B', ema: true, vq_ckpt: null };
const node = (value: p.Code | number): p.Code =>
  p.object('omegaconf.nodes', 'AnyNode', p.dict({ _parent: p.NONE, _val: value }));
const OMEGACONF = p.object(
  ...(['omegaconf.dictconfig', 'DictConfig'] as const),
  p.dict({
    _parent: p.NONE,
    _content: p.dict({
      image_size: node(p.long(256)),
      gpt_model: node(p.text('GPT-B')),
      ema: node(p.TRUE),
      vq_ckpt: node(p.NONE),
    }),
  }),
);
const ownDict: p.Code = [p.global('easydict', 'EasyDict'), p.tuple(), p.NEWOBJ];

test.each<[string, string, p.Code]>([
  ['a dict', 'args', FIELDS],
  ['a Namespace', 'args', p.object('argparse', 'Namespace', FIELDS)],
  [
    'an EasyDict',
    'config',
    p.items(ownDict, {
      image_size: p.long(256),
      gpt_model: p.text('GPT-B'),
      ema: p.TRUE,
      vq_ckpt: p.NONE,
    }),
  ],
  ['an object of the user', 'cfg', p.object('train', 'Config', FIELDS)],
  ['an object with slots', 'cfg', p.object('train', 'Config', p.tuple(p.NONE, FIELDS))],
  ['OmegaConf', 'config', OMEGACONF],
  [
    'ml_collections',
    'config',
    p.object('ml_collections', 'ConfigDict', p.dict({ _fields: FIELDS })),
  ],
  ['Lightning', 'hyper_parameters', FIELDS],
  [
    'a Namespace inside of a dict',
    'hparams',
    p.dict({ args: p.object('argparse', 'Namespace', FIELDS) }),
  ],
])('of %s, under %s', async (_, key, code) => {
  for (const save of [
    (model: p.Code) => p.dict({ model, [key]: code }),
    (model: p.Code) => p.dict({ checkpoint: p.dict({ ema: model }), [key]: code }),
  ]) {
    expect(Object.fromEntries((await open(writePtWith({ w: W }, save))).args)).toEqual(SCALARS);
  }
});

test('the nearer ones count, and none are none', async () => {
  const nested = writePtWith({ w: W }, (model) =>
    p.dict({ state: p.dict({ args: p.dict({ image_size: p.long(384) }), model }), args: FIELDS }),
  );
  const { args, takenFrom } = await open(nested);
  expect(takenFrom).toBe('state.model');
  expect(Object.fromEntries(args)).toEqual({ ...SCALARS, image_size: 384 });
  expect(
    (await open(writePtWith({ w: W }, (model) => p.dict({ model, args: p.NONE })))).args.size,
  ).toBe(0);
});
