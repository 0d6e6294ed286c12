/** Names of wrappers in front of the names of tensors and inside of them, in both formats. */
import { expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { type Checkpoint, openCheckpoint } from '../../src/weights/checkpoint.ts';
import { withoutWrapperNames } from '../../src/weights/key-prefixes.ts';
import { memorySource } from '../../src/weights/source.ts';
import { writeSafetensors } from '../support/safetensors.ts';
import { writePt } from '../support/zip.ts';

/** Both formats with these names; each tensor holds its index. */
async function openBoth(names: readonly string[]): Promise<Checkpoint[]> {
  const bytes = names.map((_, i) => Uint8Array.of(i, 0, 0, 0));
  const pt = names.map((name, i) => {
    return [name, { key: `${i}`, elements: 1, shape: [1], data: bytes[i]! }] as const;
  });
  const st = names.map(
    (name, i) => [name, { dtype: 'F32', shape: [1], bytes: bytes[i]! }] as const,
  );
  const files = [writePt(Object.fromEntries(pt)), writeSafetensors(Object.fromEntries(st))];
  return Promise.all(files.map((file) => openCheckpoint(memorySource('file', file))));
}

const PLAIN = ['tok_embeddings.weight', 'layers.0.attention.wqkv.weight', 'norm.weight'];
const under = (...prefixes: string[]): string[] =>
  PLAIN.map((name) => [...prefixes, name].join('.'));

test.each<[string, string[], string[]]>([
  ['none', PLAIN, PLAIN],
  ['torch.compile', under('_orig_mod'), PLAIN],
  ['DDP', under('module'), PLAIN],
  ['Lightning', under('model'), PLAIN],
  ['FSDP', under('_fsdp_wrapped_module'), PLAIN],
  ['Fabric', under('_forward_module'), PLAIN],
  ['several', under('_forward_module', 'model', '_orig_mod', 'module'), PLAIN],
  ['one twice', under('module', 'module', '_orig_mod', '_orig_mod'), PLAIN],
  [
    'Lightning, beside its losses and buffers',
    [...under('model', '_orig_mod'), 'loss.discriminator.weight', 'freqs_cis'],
    [...PLAIN, 'loss.discriminator.weight', 'freqs_cis'],
  ],
  [
    'Lightning, with losses on both sides',
    ['loss.logvar', ...under('model'), 'model.loss.logvar'],
    ['loss.logvar', ...PLAIN],
  ],
  [
    'nested FSDP, compiled blocks, checkpointed ones',
    [
      '_fsdp_wrapped_module.tok_embeddings.weight',
      '_fsdp_wrapped_module.layers.0._fsdp_wrapped_module._checkpoint_wrapped_module.attention.wqkv.weight',
      '_fsdp_wrapped_module.norm._orig_mod.weight',
    ],
    PLAIN,
  ],
  ['wrapped blocks of a plain model', ['layers.0._orig_mod.w', 'norm.w'], ['layers.0.w', 'norm.w']],
  ['not shared by all', ['module.a.weight', 'b.weight'], ['module.a.weight', 'b.weight']],
  ['not shared in front', ['_orig_mod.a', 'b'], ['_orig_mod.a', 'b']],
  ['shared in part', ['module.model.a', 'module.module.b'], ['model.a', 'module.b']],
  ['a whole name', ['module.model', 'module.module'], ['model', 'module']],
  ['a name that begins like one', ['modules.a', 'model_ema.b'], ['modules.a', 'model_ema.b']],
  [
    'inside, of a name that a network may have',
    ['a.module.b', 'a.model.c'],
    ['a.module.b', 'a.model.c'],
  ],
  ['only what no model needs', ['model.loss.a', 'loss.b'], ['loss.a', 'loss.b']],
])('%s', async (_, names, expected) => {
  for (const { tensors } of await openBoth(names)) {
    expect([...tensors.keys()]).toEqual(expected);
    expect([...tensors.values()].map(({ name }) => name)).toEqual(expected);
  }
});

test('each keeps its data', async () => {
  for (const { tensors } of await openBoth(under('module', '_orig_mod'))) {
    const read = await Promise.all(PLAIN.map((name) => tensors.get(name)!.read(0, 1)));
    expect(read.map(([first]) => first)).toEqual([0, 1, 2]);
  }
});

test('two tensors with one name are refused', () => {
  const tensors = new Map(['a.w', 'a._orig_mod.w'].map((name) => [name, { name }]));
  const work = () => withoutWrapperNames('c.pt', tensors);
  expect(work).toThrow(WeightsError);
  expect(work).toThrow('c.pt: two tensors are "a.w" without the names of wrappers');
  expect(work).toThrow('one of them is "a._orig_mod.w"');
});

test('a name of a million wrappers takes no long time', () => {
  const name = `${'module.'.repeat(1_000_000)}w`;
  const start = performance.now();
  expect([...withoutWrapperNames('c.pt', new Map([[name, { name }]])).keys()]).toEqual(['w']);
  expect(performance.now() - start).toBeLessThan(10_000);
});
