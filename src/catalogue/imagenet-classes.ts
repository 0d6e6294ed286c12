/**
 * `llamagen-webgpu/imagenet`: the class names of ImageNet, which the official class-conditional models
 * were trained on.
 */
import { IMAGENET_SYNSETS } from './imagenet-synsets.ts';

/** One class of ImageNet. */
export interface ImagenetClass {
  /** WordNet id, such as `n02099601`. Labels are in the order of the ids. */
  readonly id: string;
  /** Names as WordNet has them, best known first. Some belong to more than one class. */
  readonly synonyms: readonly string[];
}

/** Names where the first synonym would be that of another class too (upper case aside). */
const DISTINCT_NAMES: Readonly<Record<number, string>> = {
  134: 'crane (bird)',
  264: 'Cardigan Welsh corgi',
  517: 'crane (machine)',
  639: 'tank suit',
};

/** The classes in the order of the labels. */
export const IMAGENET: readonly ImagenetClass[] = IMAGENET_SYNSETS.trim()
  .split('\n')
  .map((line) => {
    const space = line.indexOf(' ');
    return { id: line.slice(0, space), synonyms: line.slice(space + 1).split(', ') };
  });

/** One unique name per class in the order of the labels: 0 is "tench", 999 "toilet tissue". */
export const IMAGENET_CLASSES: readonly string[] = IMAGENET.map(
  ({ id, synonyms }, label) => DISTINCT_NAMES[label] ?? synonyms[0] ?? id,
);

/** What else the classes of a model may be called: nothing, unless its names are those of ImageNet. */
export function imagenetAliases(classNames: readonly string[]): readonly ImagenetClass[] {
  const isImagenet =
    classNames.length === IMAGENET_CLASSES.length &&
    classNames.every((name, label) => name === IMAGENET_CLASSES[label]);
  return isImagenet ? IMAGENET : [];
}
