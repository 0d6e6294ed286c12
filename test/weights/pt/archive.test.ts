/** Broken files and files that lie: refused with their name, the place and the value. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../../src/errors.ts';
import { openPt } from '../../../src/weights/pt/open.ts';
import { memorySource } from '../../../src/weights/source.ts';
import {
  BUILD,
  type Code,
  call,
  dict,
  global,
  list,
  long,
  NEWOBJ,
  object,
  pickle,
  REDUCE,
  TRUE,
  tensor,
  text,
  tuple,
  u32,
} from '../../support/pickle.ts';
import { bytesOf } from '../../support/safetensors.ts';
import { ROOT } from '../../support/sources.ts';
import {
  assemble,
  layoutZip,
  type PtInput,
  ptEntries,
  writePt,
  type ZipInput,
} from '../../support/zip.ts';

const sample = (name: string): Uint8Array =>
  readFileSync(join(ROOT, 'test', 'golden', 'pt_checkpoints', name));
const open = (bytes: Uint8Array) => openPt(memorySource('bad.pt', bytes));
const floats = bytesOf(Float32Array.from({ length: 24 }, (_, i) => i));
const W: PtInput = { key: '0', elements: 24, shape: [4, 6], data: floats };
/** A sound file with one entry changed. */
const changed = (name: string, change: Partial<ZipInput>): Uint8Array =>
  assemble(
    layoutZip(
      ptEntries({ w: W }).map((entry) =>
        entry.name === `model/${name}` ? { ...entry, ...change } : entry,
      ),
    ),
  );

async function read(bytes: Uint8Array, name = 'w'): Promise<number[]> {
  const tensor = (await open(bytes)).tensors.get(name)!;
  const read = await tensor.read(0, tensor.length);
  return [...new Float32Array(read.slice().buffer)];
}

test('the files of the tests are sound', async () => {
  expect(await read(writePt({ w: W }))).toEqual(Array.from({ length: 24 }, (_, i) => i));
  expect(await read(assemble(layoutZip(ptEntries({ w: W }), true)))).toHaveLength(24);
});

const system = global('os', 'system');
const evil = pickle([dict({ model: [system, tuple(text('echo')), REDUCE] })]);

describe('a zip file is refused', () => {
  test.each<[string, Uint8Array, string]>([
    [
      'that names os.system',
      changed('data.pkl', { data: evil }),
      'model/data.pkl: at byte 14 of the pickle: the global "os.system"',
    ],
    [
      'with a compressed entry',
      changed('data/0', { method: 8 }),
      'zip entry "model/data/0": is compressed',
    ],
    [
      'with a bomb for a pickle',
      changed('data.pkl', { method: 8 }),
      '"model/data.pkl": is compressed',
    ],
    ['with an encrypted entry', changed('data/0', { flags: 9 }), 'is encrypted'],
    [
      'with an entry of 1 TB',
      changed('data/0', { claimed: { size: 2 ** 40 } }),
      'claims 1099511627776 bytes',
    ],
    [
      'with an entry out of the file',
      changed('data/0', { claimed: { offset: 2 ** 33 } }),
      'claims 96 bytes after 8589934592',
    ],
    [
      'with an entry at a wrong place',
      changed('data/0', { claimed: { offset: 70 } }),
      'nothing begins at 70',
    ],
    [
      'with a storage that is too short',
      changed('data/0', { data: floats.subarray(4) }),
      'expected 96 bytes for F32[24], got 92',
    ],
    [
      'without a storage',
      changed('data/0', { name: 'model/data/1' }),
      'has no zip entry "model/data/0"',
    ],
    [
      'without a pickle',
      changed('data.pkl', { name: 'model/x' }),
      'expected one zip entry "data.pkl" in a folder, got 0',
    ],
    ['with two pickles', changed('version', { name: 'other/data.pkl' }), 'got 2'],
    [
      'with an entry twice',
      changed('version', { name: 'model/data/0' }),
      '"model/data/0": is there twice',
    ],
    [
      'of a big-endian system',
      changed('version', { name: 'model/byteorder', data: new TextEncoder().encode('big') }),
      'only little-endian',
    ],
    [
      'with bytes after the pickle',
      changed('data.pkl', {
        data: Uint8Array.of(...(ptEntries({ w: W })[0]!.data as Uint8Array), 0),
      }),
      '1 bytes follow the pickle',
    ],
    [
      'with a cut pickle',
      changed('data.pkl', { data: evil.subarray(0, 9) }),
      'the pickle is cut off after 9 bytes',
    ],
    [
      'with no tensors',
      changed('data.pkl', { data: pickle([dict({ epoch: text('3') })]) }),
      'got a dict of 1, with the keys "epoch"',
    ],
  ])('%s', async (_, bytes, message) => {
    await expect(open(bytes)).rejects.toThrow(WeightsError);
    await expect(open(bytes)).rejects.toThrow('bad.pt: ');
    await expect(open(bytes)).rejects.toThrow(message);
  });
});

describe('a tensor is refused', () => {
  test.each<[string, Partial<PtInput>, string]>([
    [
      'that ends beyond its storage',
      { shape: [5, 6] },
      'tensor "w": ends at element 29, but its storage "0" has 24',
    ],
    ['that begins beyond its storage', { shape: [], offset: 24 }, 'ends at element 24'],
    ['whose stride leaves the storage', { shape: [4, 6], stride: [7, 1] }, 'ends at element 26'],
    [
      'that repeats one element to 4 TB',
      { shape: [2 ** 20, 2 ** 20], stride: [0, 0] },
      'has more bytes than the whole file',
    ],
    [
      'whose size overflows',
      { shape: [2 ** 30, 2 ** 30, 0], stride: [0, 0, 1] },
      'has too many elements to count',
    ],
  ])('%s', async (_, change, message) => {
    const file = writePt({ w: { ...W, ...change } });
    await expect(open(file)).rejects.toThrow(WeightsError);
    await expect(open(file)).rejects.toThrow(message);
  });

  test('read beyond its end', async () => {
    const tensor = (await open(writePt({ w: W }))).tensors.get('w')!;
    await expect(tensor.read(20, 5)).rejects.toThrow('cannot read 5 bytes at 20');
  });
});

describe('a legacy file is refused', () => {
  const legacy = sample('legacy_model.pt');
  const patched = (at: number, byte: number): Uint8Array => {
    const bytes = Uint8Array.from(legacy);
    bytes[at] = byte;
    return bytes;
  };

  /** The last storage has two elements of 4 bytes, and their number in 8 bytes before them. */
  const exotic = sample('exotic_legacy.pt');
  const count = Uint8Array.from(exotic, (byte, i) => (i === exotic.length - 16 ? 3 : byte));

  test.each<[string, Uint8Array, string]>([
    ['with another magic number', patched(5, 0), 'the magic number is not that'],
    ['with another protocol', patched(0x12, 0), 'the protocol number is not that'],
    ['of a big-endian system', patched(0x46, 0x89), 'little-endian system'],
    ['with a storage of another size', count, 'expected 2 elements, got 3'],
    ['that is cut in its data', legacy.subarray(0, -1), 'but the file has only'],
    ['that is cut in its pickle', legacy.subarray(0, 300), 'object: the pickle is cut off'],
  ])('%s', async (_, bytes, message) => {
    await expect(open(bytes)).rejects.toThrow(message);
    await expect(open(bytes)).rejects.toThrow(WeightsError);
  });
});

describe('a legacy file of training', () => {
  const MAGIC = Uint8Array.of(0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19);
  /** Storages follow in the order of their keys: the number of elements, then the data. */
  const legacy = (saved: Code, ...storages: readonly [elements: number, data: Uint8Array][]) =>
    Uint8Array.from(
      Buffer.concat([
        ...[[0x8a, 10, MAGIC], [long(1001)], [dict({ little_endian: TRUE })], saved].map((code) =>
          pickle(code),
        ),
        pickle([list(...storages.map((_, i) => text(`${i}`)))]),
        ...storages.flatMap(([elements, data]) => [u32(elements), u32(0), data]),
      ]),
    );
  const network = tuple(
    ...[text('module'), global('models', 'Net'), text('net.py'), text('class Net: pass')],
  );
  const save = (model: Code): Code =>
    dict({
      args: object('argparse', 'Namespace', dict({ p: call(global('pathlib', 'PosixPath')) })),
      best: [network, 0x51, tuple(), NEWOBJ, dict({}), BUILD],
      model,
    });
  const table = { storage: 'ComplexFloatStorage', key: '0', elements: 3, shape: [3] };
  const w = { key: '1', elements: 24, shape: [4, 6] };
  const storages: [elements: number, data: Uint8Array][] = [
    [3, new Uint8Array(24)],
    [24, floats],
  ];

  test('opens, with the classes of networks and complex storages', async () => {
    const model = dict({ freqs_cis: tensor(table), w: tensor(w) });
    const { tensors } = await open(legacy(save(model), ...storages));
    expect([...tensors.values()].map(({ dtype }) => dtype)).toEqual(['C64', 'F32']);
    expect(await tensors.get('w')!.read(0, 24)).toEqual(floats);
  });

  test('is refused when its state dict has one', async () => {
    const model = dict({ freqs_cis: tensor(table), w: tensor(w), net: [network, 0x51] });
    await expect(open(legacy(save(model), ...storages))).rejects.toThrow(
      /^bad.pt: object: at byte \d+ of the pickle: the global "models.Net" is not one of those/,
    );
  });
});

describe('what is no checkpoint', () => {
  test.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), 'got an empty file'],
    ['a web page', new TextEncoder().encode('<!DOCTYPE html>'), 'got the bytes 60 33 68 79'],
    [
      'a zip header alone',
      Uint8Array.of(0x50, 0x4b, 3, 4),
      'no sound zip file, it was cut or changed',
    ],
  ])('%s', async (_, bytes, message) => {
    await expect(open(bytes)).rejects.toThrow(message);
    await expect(open(bytes)).rejects.toThrow(WeightsError);
  });

  test.each(['ddp_model.pt', 'exotic.pt', 'exotic_legacy.pt'])('%s, cut anywhere', async (name) => {
    const bytes = sample(name);
    const step = Math.ceil(bytes.length / 200);
    for (let length = 0; length < bytes.length; length += step) {
      await expect(open(bytes.subarray(0, length)), `${length}`).rejects.toThrow(WeightsError);
    }
  });
});
