/** Patterns that mean in JavaScript what they mean in Python. */
import { expect, test } from 'vitest';
import { pythonPattern, strip } from '../../src/text/python-text.ts';

test.each([
  ['\\w', 'aéñ猫кß9٣²Ⅳ_', ' -\u0301\u200d🐱.'],
  ['[\\w/-]', 'aé猫_/-', ' .+'],
  ['\\d', '09٣१𝟗', '²Ⅳ½a'],
  ['[a-z\\d]', 'az0٣', 'A²é'],
  ['\\D', 'a²½🐱\n', '1٣𝟗'],
  ['\\s', ' \t\n\u000b\f\r\u001c\u001f\u0085\u00a0\u2003\u3000\u2028', '\ufeff\u200b\u180ea'],
  ['[^\\s/]', 'a\ufeff\u200b', ' /\u0085\u001d'],
  ['\\S', 'a\ufeff🐱', '\u001c\u0085 '],
])('%s', (pattern, matching, others) => {
  const whole = pythonPattern(`^${pattern}$`, '');
  for (const character of matching)
    expect([character, whole.test(character)]).toEqual([character, true]);
  for (const character of others)
    expect([character, whole.test(character)]).toEqual([character, false]);
});

test('words begin and end with letters of any script', () => {
  const marked = (text: string) => text.replace(pythonPattern('\\b'), '|');
  expect(marked('кошка, été_1 ねこ-x')).toBe('|кошка|, |été_1| |ねこ|-|x|');
  expect(marked('e\u0301')).toBe('|e|\u0301');
});

test('what both languages write alike stays', () => {
  expect(pythonPattern('[.]\\.\\/\\(\\\\').source).toBe('[.]\\.\\/\\(\\\\');
});

test('blanks at the ends are those of Python', () => {
  expect(strip('\u001c\u0085\u3000 a b \u00a0\n')).toBe('a b');
  expect(strip('\ufeffa\u200b')).toBe('\ufeffa\u200b');
});
