/** The sample checkpoints against their safetensors twins. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openFile } from '../../../src/node/files.ts';
import { openPt } from '../../../src/weights/pt/open.ts';
import { openSafetensors } from '../../../src/weights/safetensors.ts';
import { ROOT } from '../../support/sources.ts';

const FOLDER = join(ROOT, 'test', 'golden', 'pt_checkpoints');
const config: { files: Record<string, { expected: string; description: string }> } = JSON.parse(
  readFileSync(join(FOLDER, 'config.json'), 'utf8'),
);
const samples = Object.entries(config.files);

test('there are samples of both formats', () => {
  expect(samples.length).toBe(10);
});

describe.each(samples)('%s', (name, { expected }) => {
  test('gives the tensors of its twin, whole and in pieces', async () => {
    const { tensors } = await openPt(await openFile(join(FOLDER, name)));
    const twin = await openSafetensors(await openFile(join(FOLDER, expected)));
    expect([...tensors.keys()].sort()).toEqual([...twin.tensors.keys()].sort());
    for (const [key, tensor] of tensors) {
      const { dtype, shape, source, offset, byteLength } = twin.tensors.get(key)!;
      expect([tensor.dtype, tensor.shape], key).toEqual([dtype, shape]);
      const bytes = await source.read(offset, byteLength);
      expect(await tensor.read(0, tensor.length), key).toEqual(bytes);
      const size = tensor.length === 0 ? 1 : byteLength / tensor.length;
      for (let start = 0; start < tensor.length; start += 7) {
        const count = Math.min(7, tensor.length - start);
        const piece = bytes.slice(start * size, (start + count) * size);
        expect(await tensor.read(start, count), `${key} from ${start}`).toEqual(piece);
      }
    }
  });
});
