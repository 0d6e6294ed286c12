/** The encoder with random weights that the suite `text` loads. */
import { expect, test } from 'vitest';
import { randomEncoderFiles } from '../../bench/text/encoder-files.ts';
import { openEncoder, readRows } from '../../src/load/encoder-files.ts';
import { T5_XL } from '../../src/models/t5-config.ts';

test('has the config that was asked for, and every tensor of it', async () => {
  const { config, file, table } = await openEncoder(randomEncoderFiles(T5_XL));
  expect(config).toEqual(T5_XL);
  expect(file.tensors.size).toBe(24 * 9 + 3);
  expect(table.shape).toEqual([32_128, 2048]);
});

test('reads the same bytes in any pieces, and rows that differ', async () => {
  const files = randomEncoderFiles({ ...T5_XL, nLayer: 1 });
  const opened = await openEncoder(files);
  const { source, offset, byteLength } = opened.file.tensors.get(
    'encoder.block.0.layer.1.DenseReluDense.wo.weight',
  )!;
  const whole = await source.read(offset, byteLength);
  const cut = 2_000_002;
  expect((await source.read(offset, cut)).every((byte, i) => byte === whole[i])).toBe(true);
  const rest = await source.read(offset + cut, byteLength - cut);
  expect(rest.every((byte, i) => byte === whole[cut + i])).toBe(true);
  const rows = await readRows(opened, [5, 32_127, 5]);
  const [a, b, c] = [0, 1, 2].map((i) => rows.subarray(i * 2048, (i + 1) * 2048));
  expect(a).toEqual(c);
  expect(a).not.toEqual(b);
  expect(Math.max(...rows.map(Math.abs))).toBeCloseTo(Math.sqrt(3), 1);
});
