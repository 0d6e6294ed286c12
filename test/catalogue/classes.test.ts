import { describe, expect, test } from 'vitest';
import { resolveClass } from '../../src/catalogue/classes.ts';
import { OptionError } from '../../src/errors.ts';
import { nearNames } from '../../src/near-names.ts';

const CLASSES = [
  'Orange',
  'Pear Williams',
  'Pepper Red',
  'Pepper Green',
  'Lemon',
  'crane',
  'crane',
];

describe('resolveClass', () => {
  test.each([
    ['Orange', 0],
    ['oRANGE', 0],
    [' pear   williams ', 1],
    ['4', 4],
    ['0', 0],
  ])('"%s" is class %i', (name, index) => {
    expect(resolveClass(CLASSES, name)).toBe(index);
  });

  test.each([
    ['Ornage', /did you mean "Orange"\?$/],
    ['pepper', /did you mean "Pepper Red", "Pepper Green"\?$/],
    ['Lemn', /"Lemon"/],
    ['wiliams', /"Pear Williams"/],
    ['zzzzzzzz', /7 classes \(0 to 6\), such as "Orange"/],
    ['', /unknown class/],
    ['7', /no class 7: this model has 7 classes \(0 to 6\)/],
    ['-1', /no class -1/],
    ['1.5', /unknown class/],
    ['crane', /2 classes: give one of the indices 5, 6/],
  ])('refuses "%s"', (name, message) => {
    expect(() => resolveClass(CLASSES, name)).toThrow(OptionError);
    expect(() => resolveClass(CLASSES, name)).toThrow(message);
  });

  test('suggests the nearest first, and few', () => {
    expect(nearNames(['Limes', 'Lemon', 'Melon'], 'lemons')[0]).toBe('Lemon');
    expect(
      nearNames(
        Array.from({ length: 50 }, (_, i) => `Apple ${i}`),
        'apple',
      ),
    ).toHaveLength(5);
  });
});
