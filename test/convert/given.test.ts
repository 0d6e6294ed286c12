/** Files that somebody gives: a model folder, official checkpoints, or what is neither. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGiven } from '../../src/convert/given.ts';
import { convertCheckpoint } from '../../src/node/convert.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { memorySource } from '../../src/weights/source.ts';
import { tinyCheckpoints } from '../support/checkpoints.ts';

const DECODER = 'ddp_model.pt';
const FILES = tinyCheckpoints();
const { [DECODER]: gpt, 'vq.pt': vq, 'config.json': config } = FILES;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-given-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const given = (files: Readonly<Record<string, Uint8Array>>) =>
  openGiven(
    new Map(Object.entries(files).map(([path, bytes]) => [path, memorySource(path, bytes)])),
  );

/** The whole file, read in pieces that end anywhere. */
async function content(
  files: Awaited<ReturnType<typeof given>>,
  name: string,
  piece = 1009,
): Promise<Uint8Array> {
  const source = await files.open(name);
  const all = new Uint8Array(source.byteLength);
  for (let at = 0; at < all.length; at += piece) {
    all.set(await source.read(at, Math.min(piece, all.length - at)), at);
  }
  return all;
}

describe('official checkpoints', () => {
  test('are read as the folder that a conversion writes', async () => {
    for (const [name, bytes] of Object.entries(FILES)) writeFileSync(join(folder, name), bytes);
    const out = join(folder, 'out');
    const paths = { gpt: join(folder, DECODER), vq: join(folder, 'vq.pt') };
    await convertCheckpoint({ ...paths, out, name: 'ddp_model' });
    const model = await given(FILES);
    expect(model).toMatchObject({ name: 'ddp_model' });
    expect(await content(model, 'model.json')).toEqual(
      new Uint8Array(readFileSync(join(out, 'model.json'))),
    );
    for (const name of ['gpt.safetensors', 'vq.safetensors']) {
      const [made, written] = [await content(model, name), readFileSync(join(out, name))];
      const [a, b] = await Promise.all(
        [made, written].map((bytes) => openSafetensors(memorySource(name, bytes))),
      );
      expect([...a!.tensors.keys()]).toEqual([...b!.tensors.keys()]);
      // Only what the header says of the source's hash differs.
      const data = (bytes: Uint8Array): Uint8Array =>
        bytes.subarray(
          8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)),
        );
      expect(Buffer.compare(data(made), data(written))).toBe(0);
    }
  });

  test('lie in any order, in a folder, beside what is none', async () => {
    const readme = new TextEncoder().encode('# a model');
    const model = await given({
      'mine/README.md': readme,
      'mine/a.pt': vq,
      'mine/config.json': config,
      [`mine/${DECODER}`]: gpt,
    });
    expect(model.name).toBe('ddp_model');
    await expect(model.open('t5.json')).rejects.toThrow(
      /has no t5.json: it is made of ddp_model.pt and a.pt/,
    );
  });

  test.each([
    ['nothing', {}, /no files were given/],
    ['a decoder alone', { [DECODER]: gpt }, /two checkpoints: give a tokenizer, like/],
    [
      'two decoders',
      { [DECODER]: gpt, 'b.pt': gpt },
      /ddp_model.pt and b.pt are both decoders|b.pt and ddp_model.pt are both decoders/,
    ],
    [
      'a picture',
      { 'cat.png': Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10, 0, 0) },
      /cat.png: expected a checkpoint of torch.save \(.pt\) or a safetensors file; it is neither/,
    ],
    ['an empty file', { 'a.pt': new Uint8Array(0) }, /a.pt: expected .*neither/],
    ['a file that was cut', { 'a.pt': gpt.slice(0, 5000) }, /^a.pt: /],
    [
      'shards without one of them',
      {
        'model.safetensors.index.json': new TextEncoder().encode(
          '{"weight_map":{"a":"b.safetensors"}}',
        ),
      },
      /shard b.safetensors cannot be opened: b.safetensors is not among the given files/,
    ],
    [
      'two models',
      { 'a/model.json': config, 'b/model.json': config },
      /a\/model.json, b\/model.json: more than one model/,
    ],
  ] as const)('%s is refused with the reason', async (_, files, message) => {
    await expect(given(files)).rejects.toThrow(message);
  });
});

test('a model folder is read as it is, whatever else was given', async () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const model = await given({
    'fruits/model.json': bytes,
    'fruits/t5/config.json': bytes,
    'other/vq.safetensors': bytes,
  });
  expect(model.name).toBe('fruits');
  expect(await content(model, 't5/config.json')).toEqual(bytes);
  await expect(model.open('vq.safetensors')).rejects.toThrow(
    /vq.safetensors is not among the given files .*: a model folder holds/,
  );
});
