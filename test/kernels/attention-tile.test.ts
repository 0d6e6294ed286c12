/** How attention divides its work where subgroups are wider than those of a software adapter. */
import { expect, test } from 'vitest';
import type { AttentionParams } from '../../kernels/attention/attention.ts';
import { type AttentionTile, wholeAttentionTile } from '../../kernels/attention/attention-tile.ts';
import { compile } from '../../kernels/compile.ts';
import type { Kernel, Variant } from '../../kernels/kernel.ts';
import { attention } from '../records/attention/attention.ts';
import { checkCase } from '../records/check.ts';
import { testDevice } from '../support/device.ts';
import { nullDevice } from '../support/null-device.ts';

const subgroups = (lanes: number): Variant => ({ reduce: 'subgroup', f16: true, lanes });
const workgroup: Variant = { reduce: 'workgroup', f16: false };

/** Of GPT-B to XXL, and of GPT-3B. */
const [B, B_F16, GPT_3B, GPT_3B_F16] = [64, 100].flatMap((headDim) =>
  (['f32', 'f16'] as const).map((kvDtype) => ({ headDim, kvDtype })),
) as [Heads, Heads, Heads, Heads];
type Heads = Pick<AttentionParams, 'headDim' | 'kvDtype'>;

const compiling = await nullDevice();

test.each<[Heads, Variant, Omit<AttentionTile, 'ahead'>]>([
  // A key of 64 halves is eight loads of 16 bytes, one of 64 floats sixteen.
  [B_F16, subgroups(4), { size: 128, span: 4, keys: 4 }],
  [B_F16, subgroups(8), { size: 256, span: 8, keys: 4 }],
  [B_F16, subgroups(64), { size: 256, span: 8, keys: 4 }],
  [B_F16, workgroup, { size: 256, span: 8, keys: 4 }],
  [B, subgroups(4), { size: 128, span: 4, keys: 2 }],
  [B, subgroups(8), { size: 256, span: 8, keys: 4 }],
  [B, subgroups(16), { size: 256, span: 16, keys: 4 }],
  [B, subgroups(64), { size: 256, span: 16, keys: 4 }],
  [B, workgroup, { size: 256, span: 16, keys: 4 }],
  // 25 loads: of 8 bytes where a key of halves is no multiple of 16.
  [GPT_3B_F16, subgroups(4), { size: 128, span: 4, keys: 1 }],
  [GPT_3B_F16, subgroups(32), { size: 256, span: 16, keys: 4 }],
  [GPT_3B, subgroups(8), { size: 128, span: 8, keys: 2 }],
  [GPT_3B, subgroups(32), { size: 256, span: 16, keys: 4 }],
  [GPT_3B, workgroup, { size: 256, span: 16, keys: 4 }],
])('heads of $headDim $kvDtype under $1: $2', async (heads, variant, tile) => {
  const sizes = { rows: 2, nHead: 12, nKvHead: 12, slots: 2, positions: 577, ...heads };
  expect(wholeAttentionTile(sizes, variant)).toEqual({ ahead: 0, ...tile });
  const kernel = attention.kernel({ ...sizes, variant });
  expect(kernel.code).toContain(`@workgroup_size(${tile.size})`);
  await compile(compiling, kernel);
});

test('what a tile leaves open suits what it says', () => {
  const tileFor = (variant: Variant, tile: Partial<AttentionTile>) =>
    wholeAttentionTile({ ...B_F16, positions: 577 }, variant, tile);
  // 64 spans would need 17 KB; of those of a subgroup one alone stores what all have.
  const rest = { span: 4, keys: 4, ahead: 0 };
  expect(tileFor(workgroup, { span: 4 })).toEqual({ size: 128, ...rest });
  expect(tileFor(subgroups(32), { span: 4 })).toEqual({ size: 256, ...rest });
  expect(tileFor(subgroups(32), { size: 512 })).toMatchObject({ size: 512, span: 8 });
});

test('a workgroup has no more invocations than a variant says', () => {
  const variant = { ...subgroups(32), invocations: 128 };
  const sizes = { rows: 2, nHead: 2, nKvHead: 2, slots: 2, positions: 577, ...B_F16 };
  expect(attention.kernel({ ...sizes, variant }).code).toContain('@workgroup_size(128)');
});

test('a workgroup is no larger than what holds all positions at once', () => {
  const sizeFor = (positions: number) =>
    wholeAttentionTile({ ...B_F16, positions }, subgroups(32)).size;
  expect([10, 17, 64, 65, 145, 1025].map(sizeFor)).toEqual([32, 64, 128, 256, 256, 256]);
});

/** Subgroups of any size, through workgroup memory. */
function emulated({ features: _, ...kernel }: Kernel): Kernel {
  const size = /@workgroup_size\((\d+)\)/.exec(kernel.code)?.[1];
  const code = kernel.code
    .replace('enable subgroups;', '')
    .replaceAll(/subgroupShuffleXor\((sum|best|weight|sum\d+[ab]), /g, (_, name: string) => {
      const type = name === 'sum' ? 'Scores' : name.startsWith('sum') ? 'vec4f' : 'f32';
      return `${type.toLowerCase()}_of(${name}, lane, lane ^ `;
    });
  const library = ['Scores', 'vec4f', 'f32']
    .map((type) => [type, type.toLowerCase()] as const)
    .map(
      ([type, name]) => `
var<workgroup> given_${name}: array<${type}, ${size}>;
fn ${name}_of(value: ${type}, lane: u32, other: u32) -> ${type} {
  given_${name}[lane] = value;
  workgroupBarrier();
  let taken = given_${name}[other];
  workgroupBarrier();
  return taken;
}`,
    )
    .join('');
  return { ...kernel, code: code + library };
}

test.each<[Heads, Partial<AttentionTile>, number]>([
  [B_F16, { size: 64 }, 8],
  [GPT_3B_F16, { size: 64, ahead: 2 }, 16],
])(
  'subgroups of 32, emulated: heads of $headDim $kvDtype, $1, spans of $2',
  async (heads, tile, span) => {
    const params = {
      ...{ rows: 3, nHead: 2, nKvHead: 1, slots: 2, positions: 70 },
      ...{ ...heads, variant: subgroups(32), tile },
    };
    const kernel = attention.kernel(params);
    const shuffles = kernel.code.match(/subgroupShuffleXor\(sum, \d+u/g);
    expect(shuffles).toHaveLength(Math.log2(span));
    // Spans of a subgroup: the highest scores, the weights and each sum.
    expect(kernel.code.match(/subgroupShuffleXor\(weight, \d+u/g)).toHaveLength(
      Math.log2(32 / span),
    );
    await checkCase(await testDevice(), attention, params, emulated(kernel));
  },
);
