/** `npm run kernel`. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { linear } from '../../kernels/product/linear.ts';
import { RECORDS } from '../records/index.ts';
import { ROOT } from '../support/sources.ts';

function kernel(...words: readonly string[]) {
  const args = ['--import', import.meta.resolve('tsx'), join(ROOT, 'scripts/kernel.ts'), ...words];
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}

describe('npm run kernel', () => {
  test('prints bindings, grid, cost and the text, all of it WGSL', () => {
    const words = ['rows=2', 'inDim=768', 'outDim=2304', 'dtype=f16', 'variant=subgroup'];
    const { status, stdout } = kernel('linear', ...words);
    const params = { rows: 2, inDim: 768, outDim: 2304, dtype: 'f16' } as const;
    const made = linear({ ...params, variant: { reduce: 'subgroup', f16: false } });
    expect(status).toBe(0);
    expect(stdout).toContain(`// npm run kernel -- linear ${words.join(' ')}\n`);
    expect(stdout).toContain('// binding 1: weight in f16[2304,768]\n');
    expect(stdout).toContain(`// grid: ${made.workgroups.join(' x ')} workgroups\n`);
    expect(stdout).toContain('// features: subgroups\n');
    expect(stdout).toContain('// cost: 3563520 bytes, 7077888 operations\n');
    expect(stdout.replace(/^(\/\/.*\n)*\n/, '')).toBe(`${made.code}\n`);
  });

  test('--list has a line for every kernel', () => {
    const { status, stdout } = kernel('--list');
    expect(status).toBe(0);
    const names = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0]);
    expect(names).toEqual(RECORDS.map(({ name }) => name));
  });

  test.each([
    [['lineer'], /^kernel: there is no kernel "lineer": did you mean linear /],
    [['linear', 'inDm=3'], /^kernel: linear: unknown parameter "inDm", did you mean "inDim"\?/],
    [['linear', 'rows=none'], /^kernel: linear: "rows" expected a positive integer, got undefined/],
    [['rms_norm', 'rows'], /^kernel: "rows" expected name=value/],
    [[], /^kernel: expected the name of a kernel, or --list/],
  ])('%j is wrong usage', (words, message) => {
    const { status, stdout, stderr } = kernel(...words);
    expect(stderr).toMatch(message);
    expect([status, stdout]).toEqual([2, '']);
  });
});
