/** Finds the model's tensors in what a training script saved. */
import { WeightsError } from '../../errors.ts';
import { refusal } from './foreign.ts';
import { describeValue, itemsOf, PtGlobal, PtObject, PtTensor, type PtValue } from './values.ts';

/**
 * Where scripts put the state dict, the one to take first: plain scripts and DDP, DeepSpeed,
 * Lightning, the PyTorch tutorials, then averaged copies.
 */
const WRAPPERS = [
  'model',
  'module',
  'state_dict',
  'model_state_dict',
  'ema',
  'ema_state_dict',
  'model_ema',
  'state_dict_ema',
] as const;
/** Wrappers inside each other. */
const MAX_WRAPPERS = 4;
/** Keys named in a message. */
const MAX_KEYS = 10;

type Items = ReadonlyMap<PtValue, PtValue>;

/** A dict of tensors inside of what was saved. */
export interface StateDict {
  /** The keys that lead to it; none for what was saved itself. */
  readonly path: readonly string[];
  readonly items: Items;
  /** The dicts on the way to it, what was saved first; itself last. */
  readonly within: readonly Items[];
}

/**
 * The state dicts in a saved object, the one to take first: under one of the usual keys, else the
 * object itself, else under a usual key one level deeper, whatever the outer key is. Optimizer states
 * are none.
 * @param where The pickle, for messages.
 * @throws WeightsError when there are no tensors.
 */
export function stateDictsOf(where: string, saved: PtValue): readonly [StateDict, ...StateDict[]] {
  const [first, ...others] = search(saved, [], [], new Set());
  if (first) return [first, ...others];
  refuseForeign(where, saved);
  const keys = [...(itemsOf(saved)?.keys() ?? [])].slice(0, MAX_KEYS).map(describeValue);
  const listed = keys.length > 0 ? `, with the keys ${keys.join(', ')}` : '';
  throw new WeightsError(
    `${where}: expected a dict of tensors, or one under ${WRAPPERS.map((key) => `"${key}"`).join(', ')}, got ${describeValue(saved)}${listed}`,
  );
}

/** @throws WeightsError when an object of a foreign class is where the state dict should be. */
function refuseForeign(where: string, saved: PtValue): void {
  const places = new Map<string, PtValue | undefined>([['what was saved', saved]]);
  for (const key of WRAPPERS) places.set(`"${key}"`, itemsOf(saved)?.get(key));
  for (const [place, value] of places) {
    const global = value instanceof PtObject ? value.maker : value;
    if (global instanceof PtGlobal && global.foreignAt !== undefined) {
      throw refusal(where, global, `${place}, which is no state dict,`);
    }
  }
}

/** The tensors of a state dict by name; whatever else is in it is left aside. */
export function tensorsOf({ items }: StateDict): Map<string, PtTensor> {
  const tensors = new Map<string, PtTensor>();
  for (const [name, tensor] of items) {
    if (typeof name === 'string' && tensor instanceof PtTensor) tensors.set(name, tensor);
  }
  return tensors;
}

/** @param seen Dicts that were searched, each of which is searched once. */
function search(
  value: PtValue | undefined,
  path: readonly string[],
  outer: readonly Items[],
  seen: Set<Items>,
): StateDict[] {
  const items = itemsOf(value);
  if (!items || seen.has(items)) return [];
  seen.add(items);
  const within = [...outer, items];
  const itself = holdsTensors(items) ? [{ path, items, within }] : [];
  // Deeper down, a dict that holds tensors is the state dict, whatever else is in it.
  if (path.length > 0 && itself.length > 0) return itself;
  if (path.length >= MAX_WRAPPERS) return [];
  const wrapped = WRAPPERS.flatMap((key) => search(items.get(key), [...path, key], within, seen));
  const found = [...wrapped, ...itself];
  if (found.length > 0 || path.length > 0) return found;
  return [...items].flatMap(([key, inner]) =>
    typeof key === 'string' && itemsOf(inner) && !holdsTensors(itemsOf(inner) as Items)
      ? search(inner, [key], within, seen)
      : [],
  );
}

function holdsTensors(items: Items): boolean {
  for (const [name, value] of items) {
    if (typeof name === 'string' && value instanceof PtTensor) return true;
  }
  return false;
}
