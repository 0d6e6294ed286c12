/** The arguments of the training that a script saved beside the state dict. */
import type { Scalar } from '../checkpoint.ts';
import type { StateDict } from './state-dict.ts';
import { itemsOf, PtDict, PtObject, type PtValue } from './values.ts';

type Items = ReadonlyMap<PtValue, PtValue>;

/** Where scripts put them: the official ones, then Lightning. */
const KEYS = ['args', 'config', 'cfg', 'hyper_parameters', 'hparams'] as const;
/** Arguments inside of arguments, e.g. `hyper_parameters.args`. */
const MAX_DEPTH = 3;
/** Texts that are longer are left out. */
const MAX_CHARS = 1000;

/**
 * Scalars by name, from a dict, an `argparse.Namespace`, or an object of another class that holds
 * attributes or items (EasyDict, OmegaConf, ml_collections). Of two with the same name the one nearer
 * to the state dict counts.
 */
export function trainingArgs({ within }: StateDict): Map<string, Scalar> {
  const found = new Map<string, Scalar>();
  const seen = new Set<Items>();
  for (const items of [...within].reverse()) {
    for (const key of KEYS) collect(items.get(key), found, seen, 1);
  }
  return found;
}

/** @param seen Items that were gone through, each of them once. */
function collect(
  value: PtValue | undefined,
  found: Map<string, Scalar>,
  seen: Set<Items>,
  depth: number,
): void {
  const held = [itemsOf(value), ...attributesOf(value)].filter(
    (items): items is Items => items !== undefined && !seen.has(items),
  );
  for (const items of held) {
    seen.add(items);
    for (const [name, item] of items) {
      const scalar = scalarOf(item);
      if (typeof name !== 'string' || name.startsWith('_') || scalar === undefined) continue;
      if (!found.has(name)) found.set(name, scalar);
    }
  }
  if (depth >= MAX_DEPTH) return;
  for (const items of held) {
    for (const key of [...KEYS, ...CONTENTS]) collect(items.get(key), found, seen, depth + 1);
  }
}

/** What dicts of OmegaConf and ml_collections call the attribute with their items. */
const CONTENTS = ['_content', '_fields'] as const;
/** What a value of OmegaConf calls the attribute that holds it. */
const OMEGACONF_VALUE = '_val';

/** Attributes of an object: its state is `__dict__`, or a tuple of that and the slots. */
function attributesOf(value: PtValue | undefined): Items[] {
  if (!(value instanceof PtObject)) return [];
  const states = Array.isArray(value.state) ? value.state.slice(0, 2) : [value.state];
  return states.filter((state) => state instanceof PtDict).map(({ entries }) => entries);
}

function scalarOf(value: PtValue): Scalar | undefined {
  if (isScalar(value)) return value;
  return attributesOf(value)
    .map((attributes) => attributes.get(OMEGACONF_VALUE))
    .find(isScalar);
}

const isScalar = (value: PtValue | undefined): value is Scalar =>
  value === null ||
  (typeof value === 'string' && value.length <= MAX_CHARS) ||
  typeof value === 'number' ||
  typeof value === 'boolean';
