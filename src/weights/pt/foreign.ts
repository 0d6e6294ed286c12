/** Refuses values of foreign classes where tensors belong. */
import { WeightsError } from '../../errors.ts';
import type { StateDict } from './state-dict.ts';
import {
  describeValue,
  itemsOf,
  PtGlobal,
  PtObject,
  PtSet,
  PtTensor,
  type PtValue,
} from './values.ts';

/**
 * @param where The pickle, for messages.
 * @throws WeightsError that names the first foreign global in a state dict: as a value among its
 * tensors, inside of one, or as what would have made a tensor.
 */
export function assertNothingForeign(where: string, { path, items }: StateDict): void {
  const inside = path.length > 0 ? ` in ${describeValue(path.join('.'))}` : '';
  // Whatever they hold in common is looked at once.
  const seen = new Set<PtValue>();
  for (const [name, value] of items) {
    if (value instanceof PtTensor && typeof name === 'string') continue;
    const found = foreignIn([name, value], seen);
    if (found) throw refusal(where, found, `${describeValue(name)}${inside}`);
  }
}

/** The error for a foreign global where tensors belong. */
export function refusal(where: string, { name, foreignAt }: PtGlobal, place: string): WeightsError {
  return new WeightsError(
    `${where}: at byte ${foreignAt} of the pickle: the global ${describeValue(name)} is not one of those ` +
      `a state dict needs: ${place} is refused, and nothing was run`,
  );
}

/** The first foreign global in a value, however deep. */
function foreignIn(value: PtValue, seen: Set<PtValue>): PtGlobal | undefined {
  const rest = [value];
  while (rest.length > 0) {
    const next = rest.pop() as PtValue;
    if (next === null || typeof next !== 'object' || seen.has(next)) continue;
    seen.add(next);
    const global = next instanceof PtObject ? next.maker : next;
    if (global instanceof PtGlobal && global.foreignAt !== undefined) return global;
    for (const part of partsOf(next)) rest.push(part);
  }
  return undefined;
}

/** Arrays that several values may share are parts themselves, so that each is gone through once. */
function* partsOf(value: PtValue): Generator<PtValue> {
  if (Array.isArray(value)) yield* value;
  else if (value instanceof PtSet) yield value.items;
  else if (value instanceof PtObject) {
    yield value.args;
    yield value.state;
  }
  for (const [key, item] of itemsOf(value) ?? []) {
    yield key;
    yield item;
  }
}
