/** What is said of a text that does not compile. */
import { expect, test } from 'vitest';
import { compile } from '../../kernels/compile.ts';
import { wgslReport } from '../../kernels/lib/wgsl-error.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { nullDevice } from '../support/null-device.ts';

const device = await nullDevice();

test('each error comes first, then the whole text with their lines marked', () => {
  const code = ['fn a() {', '  let x = y;', '}', ...Array.from({ length: 7 }, () => '')].join('\n');
  const errors = [
    { message: "unresolved value 'y'", lineNum: 2, linePos: 11 },
    { message: 'expected }', lineNum: 10, linePos: 1 },
  ];
  expect(wgslReport('a f32[2]', code, errors).split('\n')).toEqual([
    "a f32[2]: WGSL 2:11: unresolved value 'y'",
    'a f32[2]: WGSL 10:1: expected }',
    '     1 | fn a() {',
    '>    2 |   let x = y;',
    '     3 | }',
    ...[4, 5, 6, 7, 8, 9].map((n) => `     ${n} |`),
    '>   10 |',
  ]);
});

test('a kernel with a wrong word shows the word, its line and all others', async () => {
  const kernel = rmsNorm({ rows: 1, dim: 4 });
  const code = kernel.code.replace('inverseSqrt(', 'inverse_sqrt(');
  const error = await compile(device, { ...kernel, code }).catch((e: Error) => e);
  expect(error).toBeInstanceOf(Error);
  const [reason, ...lines] = (error as Error).message.split('\n');
  expect(reason).toMatch(/^rms_norm f32\[1,4\]: WGSL \d+:\d+: .*inverse_sqrt/);
  const shown = lines.slice(-code.split('\n').length);
  expect(shown.map((line) => line.replace(/^[> ] +\d+ \| ?/, ''))).toEqual(code.split('\n'));
  const marked = lines.filter((line) => line.startsWith('>'));
  expect(marked).toHaveLength(1);
  expect(marked[0]).toContain('inverse_sqrt(');
});

test('a device without the feature a kernel needs is told so', async () => {
  const needy = { ...rmsNorm({ rows: 1, dim: 4 }), features: ['timestamp-query'] as const };
  const bare = { features: new Set() } as unknown as GPUDevice;
  await expect(compile(bare, needy)).rejects.toThrow(/rms_norm .* "timestamp-query"/);
});
