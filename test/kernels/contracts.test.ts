/** What holds for every text of every kernel, and that every kernel has a record. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compile } from '../../kernels/compile.ts';
import { type Kernel, MAX_WORKGROUPS, PORTABLE, type Variant } from '../../kernels/kernel.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { FOLDERS } from '../records/index.ts';
import { withVariant } from '../records/record.ts';
import { TEXTS, underVariants } from '../records/texts.ts';
import { nullDevice } from '../support/null-device.ts';
import { VARIANTS, variantName } from '../support/variants.ts';

const KERNELS = new URL('../../kernels/', import.meta.url);
const device = await nullDevice();

test('the compile check sees a wrong word', async () => {
  const kernel = rmsNorm({ rows: 1, dim: 4 });
  const broken = { ...kernel, code: kernel.code.replace('inverseSqrt(', 'inverse_sqrt(') };
  await expect(compile(device, broken)).rejects.toThrow(/rms_norm.* WGSL \d+:\d+: .*inverse_sqrt/s);
});

describe.each(
  readdirSync(KERNELS).filter((name) => existsSync(new URL(`${name}/index.ts`, KERNELS))),
)('kernels/%s', (folder) => {
  const index = readFileSync(new URL(`${folder}/index.ts`, KERNELS), 'utf8');
  const files = [...index.matchAll(/^export \* from '\.\/(.*)\.ts';$/gm)].map(([, file]) => file!);

  test('has a record for every kernel', () => {
    expect(files.length).toBeGreaterThan(1);
    const names = FOLDERS.get(folder)?.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(files.map((file) => file.replaceAll('-', '_'))));
  });

  test('has its cases run', () => {
    const own = readFileSync(new URL(`cases/${folder}.test.ts`, import.meta.url), 'utf8');
    expect(own).toContain(`testFolder('${folder}')`);
  });
});

/** Wide subgroups: sums are exchanged in more steps than a software adapter has. */
const WIDE: Variant = { reduce: 'subgroup', f16: true, lanes: 32 };
const compiled = [...VARIANTS, WIDE];

describe.each(TEXTS.map((text) => [text.title, text] as const))('%s', (_, text) => {
  const { record, params } = text;
  /** With more parameters, or other values for those there are. */
  const made = (variant: Variant, extra: object = {}): Kernel =>
    record.kernel({ ...withVariant(record, params, variant), ...extra });

  test('says its name, and parameters that make it again', () => {
    const kernel = made(PORTABLE);
    expect(kernel.name).toBe(record.name);
    expect(kernel.label.startsWith(kernel.name)).toBe(true);
    expect(record.kernel(kernel.params)).toEqual(kernel);
    expect(Object.isFrozen(kernel.params)).toBe(true);
  });

  test('refuses what it does not know, and wrong values of all it knows', () => {
    const refusal = (extra: object): string => {
      try {
        made(PORTABLE, extra);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        return (error as RangeError).message;
      }
      return 'taken';
    };
    // Whoever ignores this name names all it takes.
    const [, list = ''] =
      /unknown parameter "zzz": \w+ takes (.*)$/.exec(refusal({ zzz: 1 })) ?? [];
    const names = list.split(', ');
    expect(names.length).toBeGreaterThan(1);
    for (const name of names) {
      for (const wrong of ['fp16', null, { zzz: 1 }]) {
        expect(refusal({ [name]: wrong }), name).toContain(`"${name}" expected`);
      }
    }
  });

  test.each(
    underVariants(text, compiled).map((own) => ({ ...own, name: variantName(own.variant) })),
  )('compiles: $name', async ({ params }) => {
    device.pushErrorScope('validation');
    await compile(device, record.kernel(params));
    expect(await device.popErrorScope()).toBeNull();
  });

  test('asks for no feature that the portable variants lack', () => {
    for (const reduce of ['serial', 'workgroup'] as const) {
      expect(made({ reduce, f16: false }).features ?? []).toEqual([]);
    }
  });

  test('stays within the limits every device has', () => {
    for (const { params } of underVariants(text, VARIANTS)) {
      const { bindings, workgroups } = record.kernel(params);
      expect(Object.keys(bindings).length).toBeLessThanOrEqual(8);
      for (const n of workgroups) {
        expect(Number.isInteger(n) && n > 0 && n <= MAX_WORKGROUPS).toBe(true);
      }
    }
  });

  test('is the same text for the same parameters', () => {
    for (const { params } of underVariants(text, VARIANTS)) {
      expect(record.kernel(params)).toEqual(record.kernel(params));
    }
  });
});
