/** Where the state dict is found in what was saved. */
import { expect, test } from 'vitest';
import { WeightsError } from '../../../src/errors.ts';
import { assertNothingForeign } from '../../../src/weights/pt/foreign.ts';
import { stateDictsOf, tensorsOf } from '../../../src/weights/pt/state-dict.ts';
import { trainingArgs } from '../../../src/weights/pt/training-args.ts';
import {
  PtDict,
  PtGlobal,
  PtObject,
  PtStorage,
  PtTensor,
  type PtValue,
} from '../../../src/weights/pt/values.ts';
import { describeTaken } from '../../../src/weights/taken.ts';

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

const two = dict({ w: tensor(), v: tensor() });

test.each<[string, PtValue, string, string[]]>([
  ['bare', w, '', []],
  ['an unusual key', dict({ model_state_dict: w, epoch: 3 }), 'model_state_dict', []],
  ['an averaged copy alone', dict({ ema: w }), 'ema', []],
  ['another one', dict({ ema_state_dict: w, model: null }), 'ema_state_dict', []],
  ['one beside the model', dict({ ema: w, model: two }), 'model', ['ema']],
  ['an empty model', dict({ model: dict({}), ema: w }), 'ema', []],
  [
    'a deeper key',
    dict({ checkpoint: dict({ ema: w, model: two }) }),
    'checkpoint.model',
    ['checkpoint.ema'],
  ],
  ['deeper than an averaged copy', dict({ ema: dict({ module: w }) }), 'ema.module', []],
  [
    'any key deeper than a usual one',
    dict({ model: dict({ gpt: w, n: 1, vq: two }) }),
    'model.gpt',
    ['model.vq'],
  ],
  [
    'a usual key and a deeper one',
    dict({ model: w, best: dict({ model: two }) }),
    'model',
    ['best.model'],
  ],
  ['one dict under two keys', dict({ model: w, module: w, ema: two }), 'model', ['ema']],
  [
    'a random state beside a deeper key',
    dict({ rng: tensor(), run: dict({ model: two }) }),
    'run.model',
    [],
  ],
  [
    'tensors beside a deeper key',
    dict({ a: tensor(), b: tensor(), run: dict({ model: w }) }),
    '',
    ['run.model'],
  ],
])('%s: where it was found, and what else there is', (_, saved, path, others) => {
  const found = stateDictsOf('file', saved);
  expect(found.map((each) => each.path.join('.'))).toEqual([path, ...others]);
  for (const { within, items } of found) expect(within.at(-1)).toBe(items);
  expect(found[0].within[0]).toBe((saved as PtDict).entries);
});

test('a note names the one taken, unless it is alone in its usual place', () => {
  const note = (takenFrom: string, ...others: string[]) =>
    describeTaken('c.pt', { takenFrom, others });
  expect([note(''), note('model')]).toEqual([undefined, undefined]);
  expect(note('ema')).toBe('took "ema" of c.pt');
  expect(note('model', 'ema', 'a.model')).toBe(
    'took "model" of c.pt; it also has "ema", "a.model"',
  );
  expect(note('', 'run.model')).toBe('took the tensors of c.pt itself; it also has "run.model"');
  const many = note('x'.repeat(200), ...Array.from({ length: 9 }, (_, i) => `${i}`));
  expect(many).toBe(
    `took "${'x'.repeat(79)}... of c.pt; it also has "0", "1", "2", "3", "4", 4 more`,
  );
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

test('what is named many times is gone through once', () => {
  let walks = 0;
  /** Counts how often it is gone through. */
  const counted = <T extends PtValue[] | Map<PtValue, PtValue>>(value: T): T => {
    const iterator = value[Symbol.iterator].bind(value);
    const counting = () => {
      walks++;
      return iterator();
    };
    return Object.defineProperty(value, Symbol.iterator, { value: counting });
  };
  const shared = dict({ a: 1 });
  counted(shared.entries);
  const saved = dict({});
  for (let i = 0; i < 100; i++) {
    saved.entries.set(`a${i}`, dict({ model: shared, module: dict({ x: shared }) }));
  }
  const config = dict({ args: shared, config: dict({ args: shared }) });
  saved.entries.set('run', dict({ model: w, args: shared, config }));
  const [taken] = stateDictsOf('file', saved);
  expect(taken.path).toEqual(['run', 'model']);
  expect(trainingArgs(taken)).toEqual(new Map([['a', 1]]));
  // Once for tensors, once for dicts of tensors, once for arguments.
  expect(walks).toBe(3);

  walks = 0;
  const args = counted<PtValue[]>([1, 2]);
  const objects = Array.from({ length: 100 }, () => new PtObject(new PtGlobal('a.B'), args));
  const items = new Map<PtValue, PtValue>([['objects', objects]]);
  assertNothingForeign('file', { path: [], items, within: [items] });
  expect(walks).toBe(1);
});
