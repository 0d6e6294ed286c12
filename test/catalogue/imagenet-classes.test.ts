import { describe, expect, test } from 'vitest';
import { resolveClass } from '../../src/catalogue/classes.ts';
import {
  IMAGENET,
  IMAGENET_CLASSES,
  imagenetAliases,
} from '../../src/catalogue/imagenet-classes.ts';
import { parseClasses } from '../../src/cli/arguments.ts';
import { OptionError } from '../../src/errors.ts';

const find = (name: string, names: readonly string[] = IMAGENET_CLASSES): number =>
  resolveClass(names, name, imagenetAliases(names));

describe('the classes of ImageNet', () => {
  test('are 1,000, in the order of their ids', () => {
    expect(IMAGENET).toHaveLength(1000);
    const ids = IMAGENET.map(({ id }) => id);
    for (const id of ids) expect(id).toMatch(/^n\d{8}$/);
    expect([...new Set(ids)].sort()).toEqual(ids);
  });

  test('have names that differ by more than upper case', () => {
    expect(new Set(IMAGENET_CLASSES.map((name) => name.toLowerCase())).size).toBe(1000);
    // A comma would cut a name in two on the command line; spaces would be lost.
    for (const name of IMAGENET_CLASSES)
      expect(name).toMatch(/^[A-Za-z][A-Za-z'.()-]*( [A-Za-z'.()-]+)*$/);
  });

  // Labels that papers, demos and other libraries name.
  test.each([
    [0, 'tench', 'n01440764'],
    [1, 'goldfish', 'n01443537'],
    [9, 'ostrich', 'n01518878'],
    [22, 'bald eagle', 'n01614925'],
    [88, 'macaw', 'n01818515'],
    [107, 'jellyfish', 'n01910747'],
    [134, 'crane (bird)', 'n02012849'],
    [207, 'golden retriever', 'n02099601'],
    [250, 'Siberian husky', 'n02110185'],
    [264, 'Cardigan Welsh corgi', 'n02113186'],
    [270, 'white wolf', 'n02114548'],
    [279, 'Arctic fox', 'n02120079'],
    [281, 'tabby', 'n02123045'],
    [285, 'Egyptian cat', 'n02124075'],
    [291, 'lion', 'n02129165'],
    [340, 'zebra', 'n02391049'],
    [360, 'otter', 'n02444819'],
    [387, 'lesser panda', 'n02509815'],
    [388, 'giant panda', 'n02510455'],
    [404, 'airliner', 'n02690373'],
    [417, 'balloon', 'n02782093'],
    [474, 'cardigan', 'n02963159'],
    [517, 'crane (machine)', 'n03126707'],
    [555, 'fire engine', 'n03345487'],
    [638, 'maillot', 'n03710637'],
    [639, 'tank suit', 'n03710721'],
    [817, 'sports car', 'n04285008'],
    [933, 'cheeseburger', 'n07697313'],
    [954, 'banana', 'n07753592'],
    [972, 'cliff', 'n09246464'],
    [974, 'geyser', 'n09288635'],
    [980, 'volcano', 'n09472597'],
    [985, 'daisy', 'n11939491'],
    [999, 'toilet tissue', 'n15075141'],
  ])('%i is %s, %s', (label, name, id) => {
    expect(IMAGENET_CLASSES[label]).toBe(name);
    expect(IMAGENET[label]?.id).toBe(id);
    for (const given of [name, name.toUpperCase(), id, String(label)]) {
      expect(find(given)).toBe(label);
    }
  });

  test('are known by each synonym, or it is the name of another class, or of several', () => {
    let several = 0;
    for (const [label, { synonyms }] of IMAGENET.entries()) {
      for (const synonym of synonyms) {
        try {
          const found = find(synonym, [...IMAGENET_CLASSES]);
          if (found !== label) expect(IMAGENET_CLASSES[found]).toBe(synonym.toLowerCase());
        } catch (error) {
          expect(error).toBeInstanceOf(OptionError);
          expect(String(error)).toContain(String(label));
          several++;
        }
      }
    }
    expect(several).toBeGreaterThan(2);
    expect(several).toBeLessThan(40);
  });

  test('say which classes a shared synonym may mean', () => {
    expect(() => find('crane')).toThrow(
      /2 classes: give one of the indices 134 \(crane \(bird\)\), 517 \(crane \(machine\)\)/,
    );
  });

  test('are known by the whole list of synonyms, and may stand in a list', () => {
    expect(
      parseClasses(IMAGENET_CLASSES, ['toilet tissue, toilet paper, bathroom tissue']),
    ).toEqual([999]);
    expect(parseClasses(IMAGENET_CLASSES, ['toilet paper, n02099601, 5'])).toEqual([999, 207, 5]);
  });

  test('have near names, also among synonyms', () => {
    expect(() => find('goldn retriever')).toThrow(/"golden retriever"/);
    expect(() => find('toilet papr')).toThrow(/"toilet paper"/);
  });
});

test('other models know neither synonyms nor ids', () => {
  const other = ['tench', 'golden retriever'];
  expect(imagenetAliases(other)).toEqual([]);
  expect(imagenetAliases([...IMAGENET_CLASSES.slice(0, 999), 'paper'])).toEqual([]);
  for (const name of ['Tinca tinca', 'n02099601']) {
    expect(() => find(name, other)).toThrow(/unknown class/);
  }
});
