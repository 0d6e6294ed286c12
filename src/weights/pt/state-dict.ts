/** Finds the model's tensors in what a training script saved. */
import { WeightsError } from '../../errors.ts';
import { refusal } from './foreign.ts';
import { describeValue, itemsOf, PtGlobal, PtObject, PtTensor, type PtValue } from './values.ts';

/**
 * Where scripts put the state dict, the one to take first: plain scripts and DDP, DeepSpeed,
 * Lightning, the PyTorch tutorials, then averaged copies.
 */
const USUAL = [
  'model',
  'module',
  'state_dict',
  'model_state_dict',
  'ema',
  'ema_state_dict',
  'model_ema',
  'state_dict_ema',
] as const;
/** Dicts inside each other. */
const MAX_DEPTH = 4;
/** Keys named in a message. */
const MAX_KEYS = 10;

type Items = ReadonlyMap<PtValue, PtValue>;

/** A dict of tensors inside of what was saved. */
export interface StateDict {
  /** The keys that lead to it; none for what was saved itself. */
  readonly path: readonly string[];
  readonly items: Items;
  /** The dicts on the way to it, what was saved first, itself last. */
  readonly within: readonly Items[];
}

/**
 * The state dicts in a saved object, the one to take first: under a usual key, or a key deeper there;
 * else the object itself, or under a usual key inside of another. Optimizer states are none.
 * @param where The pickle, for messages.
 * @throws WeightsError when there are no tensors.
 */
export function stateDictsOf(where: string, saved: PtValue): readonly [StateDict, ...StateDict[]] {
  // The same dict may lie under several keys.
  const named = new Set<Items>();
  const [first, ...others] = find(saved).filter(
    ({ items }) => !named.has(items) && named.add(items),
  );
  if (first) return [first, ...others];
  refuseForeign(where, saved);
  const keys = [...(itemsOf(saved)?.keys() ?? [])].slice(0, MAX_KEYS).map(describeValue);
  const listed = keys.length > 0 ? `, with the keys ${keys.join(', ')}` : '';
  throw new WeightsError(
    `${where}: expected a dict of tensors, or one under ${USUAL.map((key) => `"${key}"`).join(', ')}, got ${describeValue(saved)}${listed}`,
  );
}

/** The tensors of a state dict by name; whatever else is in it is left aside. */
export function tensorsOf({ items }: Pick<StateDict, 'items'>): Map<string, PtTensor> {
  const tensors = new Map<string, PtTensor>();
  for (const [name, tensor] of items) {
    if (typeof name === 'string' && tensor instanceof PtTensor) tensors.set(name, tensor);
  }
  return tensors;
}

function find(saved: PtValue): StateDict[] {
  const items = itemsOf(saved);
  if (!items) return [];
  const search = new Search();
  const usual = search.underUsual(items, [], []);
  const deeper = [...items].flatMap(([key, value]) => {
    const inner = itemsOf(value);
    return inner && typeof key === 'string' ? search.underUsual(inner, [key], [items]) : [];
  });
  const tensors = tensorsOf({ items }).size;
  if (usual.length > 0 || tensors === 0) return [...usual, ...deeper];
  const itself: StateDict = { path: [], items, within: [items] };
  // The state of a random number generator may lie beside what holds the state dict.
  const [nested] = deeper;
  return nested && tensorsOf(nested).size > tensors ? deeper : [itself, ...deeper];
}

/** Looks through dicts, through each once: a small file may name a large one many times. */
class Search {
  readonly #searched = new Set<Items>();
  readonly #holding = new Map<Items, boolean>();

  underUsual(items: Items, path: readonly string[], outer: readonly Items[]): StateDict[] {
    if (path.length >= MAX_DEPTH || this.#searched.has(items)) return [];
    this.#searched.add(items);
    return USUAL.flatMap((key) => this.#at(items.get(key), [...path, key], [...outer, items]));
  }

  /** What a usual key leads to: a dict that holds tensors is the state dict, whatever else is in it. */
  #at(value: PtValue | undefined, path: readonly string[], outer: readonly Items[]): StateDict[] {
    const items = itemsOf(value);
    if (!items) return [];
    const within = [...outer, items];
    if (this.#holdsTensors(items)) return [{ path, items, within }];
    if (this.#searched.has(items)) return [];
    const usual = this.underUsual(items, path, outer);
    if (usual.length > 0) return usual;
    return [...items].flatMap(([key, inner]) => {
      const held = itemsOf(inner);
      if (typeof key !== 'string' || !held || !this.#holdsTensors(held)) return [];
      return [{ path: [...path, key], items: held, within: [...within, held] }];
    });
  }

  #holdsTensors(items: Items): boolean {
    const known = this.#holding.get(items);
    if (known !== undefined) return known;
    const holds = holdsTensors(items);
    this.#holding.set(items, holds);
    return holds;
  }
}

function holdsTensors(items: Items): boolean {
  for (const [name, value] of items) {
    if (typeof name === 'string' && value instanceof PtTensor) return true;
  }
  return false;
}

/** @throws WeightsError when an object of a foreign class is where the state dict should be. */
function refuseForeign(where: string, saved: PtValue): void {
  const places = new Map<string, PtValue | undefined>([['what was saved', saved]]);
  for (const key of USUAL) places.set(`"${key}"`, itemsOf(saved)?.get(key));
  for (const [place, value] of places) {
    const global = value instanceof PtObject ? value.maker : value;
    if (global instanceof PtGlobal && global.foreignAt !== undefined) {
      throw refusal(where, global, `${place}, which is no state dict,`);
    }
  }
}
