import { describe, expect, test } from 'vitest';
import { faultsOf, nameOf, withFault } from './faults.ts';
import { edits } from './operators.ts';
import { sampleOrder } from './sample.ts';

/** A kernel whose function holds these lines. */
const textOf = (...lines: readonly string[]): string =>
  `const N = 4u + 1u;
var<workgroup> sums: array<f32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
${lines.join('\n')}
}`;

/** What each operator makes of a line. */
const changes = (line: string): Record<string, string[]> => {
  const code = textOf(line);
  const made: Record<string, string[]> = {};
  for (const { operator, start, end, becomes } of edits(code)) {
    const faulty = code.slice(0, start) + becomes + code.slice(end);
    made[operator] = [...(made[operator] ?? []), faulty.split('\n')[4]!];
  }
  return made;
};

describe('operators', () => {
  test.each([
    ['workgroupBarrier();', { barrier: [''] }],
    ['let a = b - c;', { sign: ['let a = b + c;'] }],
    [
      'let a = b + c * d;',
      {
        sign: ['let a = b - c * d;'],
        factor: ['let a = b + c / d;'],
        term: ['let a = b ;'],
      },
    ],
    ['let a = f(b) * -c;', { factor: ['let a = f(b) / -c;'] }],
    ['let a = b < c;', { bound: ['let a = b <= c;'] }],
    ['let a = b < 7u;', { bound: ['let a = b <= 7u;'], limit: ['let a = b < 6u;'] }],
    ['let a = b <= 7u;', { bound: ['let a = b < 7u;'], limit: ['let a = b <= 8u;'] }],
    ['let a = min(b, 3u);', { minmax: ['let a = max(b, 3u);'], limit: ['let a = min(b, 2u);'] }],
    ['let a = select(b, f(c, d), e);', { select: ['let a = select(f ( c , d ), b, e);'] }],
    ['if (a && b) { return; }', { condition: ['if (!(a && b)) { return; }'] }],
    ['let a = b.y;', { component: ['let a = b.x;'] }],
    ['let a = b[2];', { index: ['let a = b[1];'] }],
    ['let a = b[0u];', { index: ['let a = b[1u];'] }],
    ['a[i] = b;', { statement: [''] }],
    ['store(a, b);', { statement: [''] }],
  ])('%s', (line, expected) => {
    expect(changes(line)).toEqual(expected);
  });

  test.each([
    ['adds nothing', 'let a = b + 0u;'],
    ['divides by one', 'let a = b / 1u;'],
    ['is 0 in a grid of one workgroup', 'let a = (group.y + group.x) * 64u;'],
    ['has types in angle brackets', 'var a = array<vec4<f16>, 4>();'],
    ['is a comment', '// a + b * c < d'],
    ['has a sign of its own', 'let a = -b;'],
  ])('leave alone what %s', (_, line) => {
    expect(changes(line)).toEqual({});
  });

  test('a loop loses no part of its head', () => {
    const made = changes('for (var i = 0u; i < n; i += 4u) { a += b[i]; }');
    expect(made).toEqual({
      sign: [
        'for (var i = 0u; i < n; i -= 4u) { a += b[i]; }',
        'for (var i = 0u; i < n; i += 4u) { a -= b[i]; }',
      ],
      bound: ['for (var i = 0u; i <= n; i += 4u) { a += b[i]; }'],
      statement: ['for (var i = 0u; i < n; i += 4u) {  }'],
    });
  });
});

describe('faults', () => {
  const copies = textOf('sum0 += a0;', 'sum1 += a1;', 'sum2 += a2;');
  const faults = faultsOf('k', [{ variant: 'serial', code: copies }]);

  test('of the copies of an unrolled line the first one has the fault', () => {
    expect(faults.map(nameOf)).toEqual(['k:serial:sign:5:6', 'k:serial:statement:5:1']);
    expect(withFault(faults[0]!.key, copies)?.diff).toBe('- sum0 += a0;\n+ sum0 -= a0;');
  });

  test('a text of other sizes has the same fault', () => {
    const other = textOf('let n = 3u;', 'sum0 += a0;', 'sum1 += a1;');
    expect(withFault(faults[0]!.key, other)?.diff).toBe('- sum0 += a0;\n+ sum0 -= a0;');
    expect(withFault(faults[0]!.key, textOf('sum0 += b;'))).toBeUndefined();
  });

  test('lines of the very same text are a fault each', () => {
    const barriers = textOf('workgroupBarrier();', 'workgroupBarrier();');
    const found = faultsOf('k', [{ variant: 'serial', code: barriers }]);
    expect(found.map(nameOf)).toEqual(['k:serial:barrier:5:1', 'k:serial:barrier:6:1']);
  });

  test('a change is told without numbers, so that other sizes are told alike', () => {
    const [fault] = faultsOf('k', [{ variant: 'serial', code: textOf('if (a < 12u) { f(); }') }]);
    expect(fault!.change).toBe('if (a [< -> <=] #u) { f(); }');
  });
});

test('a sample has one fault of every kernel and operator before a second one of any', () => {
  const lines = ['a += b;', 'c += d * e;', 'if (f < g) { h(); }'];
  const texts = [{ variant: 'serial', code: textOf(...lines) }];
  const faults = [...faultsOf('k', texts), ...faultsOf('l', texts)];
  const strata = (of: typeof faults): Set<string> =>
    new Set(of.map(({ kernel, operator }) => `${kernel} ${operator}`));
  const count = strata(faults).size;
  const order = sampleOrder(faults, 1);
  expect(strata(order.slice(0, count)).size).toBe(count);
  expect(new Set(order)).toEqual(new Set(faults));
  expect(sampleOrder(faults, 1)).toEqual(order);
  expect(sampleOrder(faults, 2)).not.toEqual(order);
});
