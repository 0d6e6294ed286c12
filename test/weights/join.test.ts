import { expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { ENCODER_TENSORS, matchTensors, type WantedTensor } from '../../src/weights/join.ts';
import { openSafetensors, type Safetensors } from '../../src/weights/safetensors.ts';
import { memorySource } from '../../src/weights/source.ts';
import { writeSafetensors } from '../support/safetensors.ts';

const file = (wanted: readonly WantedTensor[]): Promise<Safetensors> => {
  const tensors = wanted.map(({ name, shape }) => {
    const bytes = new Uint8Array(shape.reduce((n, d) => n * d, 1));
    return [name, { dtype: 'U8', shape, bytes }] as const;
  });
  return openSafetensors(memorySource('gpt', writeSafetensors(Object.fromEntries(tensors))));
};

const wanted = [
  { name: 'norm.weight', shape: [4] },
  { name: 'output.weight', shape: [3, 4] },
];

const messageOf = (work: () => void): string => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(WeightsError);
    return (error as Error).message;
  }
  throw new Error('expected an error');
};

test('exactly the wanted tensors, in any order', async () => {
  matchTensors(await file([...wanted].reverse()), wanted);
});

test('buffers that the official code leaves unread are ignored, and no others', async () => {
  const names = [
    ...['freqs_cis', 'causal_mask', 'quantize.codebook_used', 'codebook_used'],
    ...['layers.0.attention.kv_cache.k_cache', 'layers.11.attention.kv_cache.v_cache'],
    ...['decoder.norm_out.num_batches_tracked', 'loss.discriminator.main.0.weight', 'loss.logvar'],
  ];
  const buffers = names.map((name) => ({ name, shape: [2] }));
  matchTensors(await file([...wanted, ...buffers]), wanted);
  const others = ['my_freqs_cis', 'freqs_cis.weight', 'kv_cache_scale', 'lossy.weight', 'a.loss.w'];
  const whole = await file([...wanted, ...others.map((name) => ({ name, shape: [2] }))]);
  expect(messageOf(() => matchTensors(whole, wanted))).toContain('5 unexpected:');
});

test('encoder tensors are ignored only when asked', async () => {
  const names = ['encoder.conv_in.bias', 'quant_conv.weight'];
  const whole = await file([...wanted, ...names.map((name) => ({ name, shape: [2] }))]);
  matchTensors(whole, wanted, { ignore: ENCODER_TENSORS });
  expect(messageOf(() => matchTensors(whole, wanted))).toContain('2 unexpected:');
});

test('a name that is ignored is still checked when it is wanted', async () => {
  const encoder = [{ name: 'encoder.conv_in.bias', shape: [2] }];
  const options = { ignore: ENCODER_TENSORS };
  const message = messageOf(() => matchTensors(EMPTY, encoder, options));
  expect(message).toContain('1 missing:\n  "encoder.conv_in.bias" [2]');
});

test('one error lists everything that is wrong', async () => {
  const wrong = await file([
    { name: 'output.weight', shape: [4, 3] },
    { name: 'extra', shape: [5] },
  ]);
  expect(messageOf(() => matchTensors(wrong, wanted))).toBe(
    [
      'gpt: the tensors are not those of this model',
      '1 missing:',
      '  "norm.weight" [4]',
      '1 unexpected:',
      '  "extra" [5]',
      '1 of another shape:',
      '  "output.weight" expected [3,4], got [4,3]',
    ].join('\n'),
  );
});

test('shapes that print alike are told apart', async () => {
  const scalar = await file([{ name: 'w', shape: [] }]);
  matchTensors(scalar, [{ name: 'w', shape: [] }]);
  expect(messageOf(() => matchTensors(scalar, [{ name: 'w', shape: [1] }]))).toContain(
    '"w" expected [1], got []',
  );
});

test('long lists are cut', () => {
  const many = Array.from({ length: 25 }, (_, i) => ({ name: `w${i}`, shape: [1] }));
  const message = messageOf(() => matchTensors(EMPTY, many));
  expect(message.split('\n').slice(1, 3)).toEqual(['25 missing:', '  "w0" [1]']);
  expect(message.split('\n').at(-1)).toBe('  and 15 more');
  expect(message.split('\n').length).toBe(13);
});

const EMPTY: Safetensors = {
  name: 'gpt',
  tensors: new Map(),
  metadata: new Map(),
};
