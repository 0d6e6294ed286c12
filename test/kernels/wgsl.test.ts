/** How the text of kernels is laid out. */
import { describe, expect, test } from 'vitest';
import { declare, declareSized } from '../../kernels/kernel.ts';
import { tidy } from '../../kernels/lib/wgsl.ts';
import { wgsl } from '../../kernels/lib/wgsl-if.ts';
import { TEXTS, underVariants } from '../records/texts.ts';
import { uniform } from '../support/random.ts';
import { VARIANTS } from '../support/variants.ts';

const lines = (...of: readonly string[]): string => of.join('\n');

describe('layout', () => {
  test('is one statement a line, indented by the blocks around it', () => {
    expect(tidy('fn f() { let a = 1u;   let b = 2u;\n   if (a < b) {\n g(); h(); } }')).toBe(
      lines(
        'fn f() {',
        '  let a = 1u;',
        '  let b = 2u;',
        '  if (a < b) {',
        '    g();',
        '    h();',
        '  }',
        '}',
      ),
    );
  });

  test('keeps the head of a loop on its line, and blocks of one statement that fit', () => {
    const code = lines(
      'fn f() {',
      '  for (var i = 0u; i < 4u; i++) { sum += x[i]; }',
      '  if (sum > 1.0) { return; } else { sum = 1.0; }',
      '}',
    );
    expect(tidy(code)).toBe(code);
  });

  test('opens blocks that do not fit', () => {
    const long = 'a'.repeat(60);
    expect(tidy(`fn f() { if (${long}) { ${long}(); } else { b(); } }`)).toBe(
      lines('fn f() {', `  if (${long}) {`, `    ${long}();`, '  } else {', '    b();', '  }', '}'),
    );
  });

  test('has a blank line between functions and nowhere else', () => {
    expect(
      tidy(
        '\n\nconst A = 1u;\n\n\nconst B = 2u;\nfn f() { g(); }\n\n\n@compute @workgroup_size(1)\nfn main() {\n\n\n}',
      ),
    ).toBe(
      lines(
        'const A = 1u;',
        'const B = 2u;',
        '',
        'fn f() { g(); }',
        '',
        '@compute @workgroup_size(1)',
        'fn main() {',
        '}',
      ),
    );
  });

  test('leaves comments as they are, behind what they follow', () => {
    const code = lines(
      'const A = 1u; // one; and { no } block',
      'fn f() { // why',
      '  // x[i];   y[i]; {',
      '  let a = A; // again',
      '}',
    );
    expect(tidy(code)).toBe(code.replace('\nfn', '\n\nfn'));
  });

  test('breaks what is too long outside of parentheses first', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => `${name.repeat(20)}(x, y, z)`);
    expect(tidy(`fn f() {\nlet sum = ${a} + ${b} + ${c} * 2.0;\n}`)).toBe(
      lines('fn f() {', `  let sum = ${a} + ${b}`, `      + ${c} * 2.0;`, '}'),
    );
  });

  test('of a text that has it is the same text', () => {
    for (const { record, params } of TEXTS) {
      const { code } = record.kernel(params);
      expect(tidy(code)).toBe(code);
    }
  });

  test('changes white space only where there is nothing to fold', () => {
    const code = 'fn f(){let a=array<f32,4>();for (var i=0;i<4;i++){a[i]=1.0e-5;g(a[i]);}}';
    expect(tidy(code).replace(/\s/g, '')).toBe(code.replace(/\s/g, ''));
  });

  test.each([
    ['let a = (tile % 1u) * 4u + b;', 'let a = b;'],
    ['let a = (tile / 1u) * 4u + lane / 1u;', 'let a = tile * 4u + lane;'],
    ['let a = first + (item + 0u) / 1u;', 'let a = first + item;'],
    ['let a = x[0u * rows + (k + 0u) * s.k];', 'let a = x[k * s.k];'],
    ['let y = i32(at) * 2 + ky - 0;', 'let y = i32(at) * 2 + ky;'],
    ['let a = b / c % 1u;', 'let a = b / c % 1u;'],
    ['let a = b + 0u * c;', 'let a = b;'],
    ['let a = b - 0.5 + 1.0 * c;', 'let a = b - 0.5 + 1.0 * c;'],
    ['let a = f(n) % 1u + x10u * 10u;', 'let a = f(n) % 1u + x10u * 10u;'],
    ['if (a) { f(a / 1u); }', 'if (a) { f(a); }'],
    ['f(a); // a / 1u', 'f(a); // a / 1u'],
  ])('folds integers: %s', (code, folded) => {
    expect(tidy(code)).toBe(folded);
  });

  test('folds no value away', () => {
    const next = uniform(1);
    const pick = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
    const expression = (depth: number): string => {
      if (depth === 0 || next() < 0.2) return pick(['a', 'b', '0u', '1u', '1u', '3u']);
      const sides = [expression(depth - 1), expression(depth - 1)];
      const made = sides.join(` ${pick(['+', '-', '*', '/', '%'])} `);
      return next() < 0.5 ? `(${made})` : made;
    };
    // Integers of any size: what holds for all of them holds modulo 2^32.
    const evaluated = (text: string): unknown => {
      try {
        const made = text.replaceAll(/(\d+)u/g, '$1n');
        return new Function('a', 'b', made.replace('let v =', 'return'))(17n, 5n);
      } catch (error) {
        return (error as Error).name;
      }
    };
    for (let i = 0; i < 5000; i++) {
      const code = `let v = ${expression(4)};`;
      const value = evaluated(code);
      if (value !== 'RangeError') expect(evaluated(tidy(code)), code).toBe(value);
    }
  });

  test('comes after the conditions of a template', () => {
    const text = (wide: boolean): string => wgsl`fn f() {
#if ${wide}
  wide();
#else
  narrow();
#endif
}`;
    expect([text(true), text(false)]).toEqual([
      'fn f() {\n  wide();\n}',
      'fn f() {\n  narrow();\n}',
    ]);
  });
});

test('declarations end with dtype and shape, by name where many shapes share a text', () => {
  const bindings = {
    x: { role: 'in', dtype: 'f32', shape: [2, 768], element: 'vec4f' },
    out: { role: 'inout', dtype: 'int8', shape: [4, 8] },
  } as const;
  expect(declare(bindings)).toBe(
    lines(
      '@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [2, 768]',
      '@group(0) @binding(1) var<storage, read_write> out: array<u32>; // int8 [4, 8]',
    ),
  );
  const shared = declareSized(bindings, { rows: 2 }, { x: 'rows, dim', out: 'rows, 8' });
  expect(shared).toContain('x: array<vec4f>; // f32 [rows, dim]\n');
  expect(shared).toContain('struct Sizes {\n  rows: u32,\n}\n@group(0) @binding(2) var<uniform>');
});

describe.each(TEXTS.map((text) => [text.title, text] as const))('%s', (_, text) => {
  const where = (bad: (line: string, before: string) => boolean): string[] =>
    underVariants(text, VARIANTS).flatMap(({ params }) => {
      const all = text.record.kernel(params).code.split('\n');
      return all.filter((line, i) => bad(line, all[i - 1] ?? ''));
    });

  test('has lines under 120 characters, one statement each, and no empty ones in rows', () => {
    expect(where((line) => line.length >= 120)).toEqual([]);
    expect(where((line) => /;[^/]*;/.test(line) && !/^ *for \(/.test(line))).toEqual([]);
    expect(where((line, before) => line === '' && before === '')).toEqual([]);
  });

  test('has no integer operations that do nothing', () => {
    expect(
      where((line) =>
        /^[^"]*( [*/%] 1u| [-+] 0u|\b0u [*+])(?![\w.])/.test(line.replace(/\/\/.*/, '')),
      ),
    ).toEqual([]);
  });

  test('has no value of a template that was not there', () => {
    expect(where((line) => /\b(undefined|NaN|null)\b/.test(line.replace(/\/\/.*/, '')))).toEqual(
      [],
    );
  });
});
