/** Where the state dict is found in what was saved. */
import { expect, test } from 'vitest';
import { WeightsError } from '../../../src/errors.ts';
import { stateDictsOf, tensorsOf } from '../../../src/weights/pt/state-dict.ts';
import { PtDict, PtStorage, PtTensor, type PtValue } from '../../../src/weights/pt/values.ts';

const tensor = (): PtTensor => new PtTensor(new PtStorage('F32', '0', 1), [1], [1], 0);
const dict = (entries: Record<string, PtValue>): PtDict => {
  const made = new PtDict();
  for (const [key, value] of Object.entries(entries)) made.entries.set(key, value);
  return made;
};
const w = dict({ w: tensor() });
const names = (saved: PtValue): string[] => [...tensorsOf(stateDictsOf('file', saved)[0]).keys()];

test.each<[string, PtValue, string[]]>([
  ['bare', w, ['w']],
  ['under model, before others', dict({ state_dict: dict({ b: tensor() }), model: w }), ['w']],
  ['under module', dict({ module: w, optimizer: dict({ a: tensor() }) }), ['w']],
  ['under state_dict', dict({ state_dict: w, ema: dict({ w: tensor() }) }), ['w']],
  ['under model, beside a tensor', dict({ model: w, step: tensor() }), ['w']],
  ['under model and module', dict({ model: dict({ module: w, step: 3 }) }), ['w']],
  ['with a tensor called model', dict({ model: tensor(), b: tensor() }), ['model', 'b']],
  ['with what is no tensor', dict({ model: dict({ w: tensor(), n: 3, d: dict({}) }) }), ['w']],
])('%s', (_, saved, expected) => {
  expect(names(saved)).toEqual(expected);
});

test('a dict inside itself ends', () => {
  const loop = dict({});
  loop.entries.set('model', loop);
  expect(() => names(loop)).toThrow('got a dict of 1, with the keys "model"');
});

test.each<[string, PtValue, string]>([
  ['None', null, 'got None'],
  ['a tensor alone', tensor(), 'got a tensor [1]'],
  ['only an optimizer', dict({ optimizer: w, epoch: 3 }), 'with the keys "optimizer", "epoch"'],
])('%s has no tensors', (_, saved, message) => {
  expect(() => names(saved)).toThrow(WeightsError);
  expect(() => names(saved)).toThrow(message);
});
