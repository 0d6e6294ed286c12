/** Finds the model's tensors in what a training script saved. */
import { WeightsError } from '../../errors.ts';
import { describeValue, PtDict, PtTensor, type PtValue } from './values.ts';

/** Where scripts put the state dict, in the order they are tried: DDP, DeepSpeed, Lightning. */
const WRAPPERS = ['model', 'module', 'state_dict'] as const;
/** Wrappers inside each other. */
const MAX_WRAPPERS = 4;
/** Keys named in a message. */
const MAX_KEYS = 10;

/**
 * The tensors of the state dict in a saved object: under `model`, `module` or `state_dict`, else the
 * object itself. Optimizer states, EMA copies and whatever is no tensor are left aside.
 * @param where The file, for messages.
 * @throws WeightsError when there are no tensors.
 */
export function stateDictOf(where: string, saved: PtValue): ReadonlyMap<string, PtTensor> {
  let found = saved;
  for (let depth = 0; depth < MAX_WRAPPERS; depth++) {
    const inner = unwrap(found);
    // Deeper down, a dict that holds tensors is the state dict, whatever else is in it.
    if (!inner || (depth > 0 && tensorsOf(found).size > 0)) break;
    found = inner;
  }
  const tensors = tensorsOf(found);
  if (tensors.size > 0) return tensors;
  const keys = found instanceof PtDict ? [...found.entries.keys()].map(describeValue) : [];
  const listed = keys.length > 0 ? `, with the keys ${keys.slice(0, MAX_KEYS).join(', ')}` : '';
  throw new WeightsError(
    `${where}: expected a dict of tensors, or one under ${WRAPPERS.map((key) => `"${key}"`).join(', ')}, got ${describeValue(found)}${listed}`,
  );
}

function unwrap(value: PtValue): PtDict | undefined {
  if (!(value instanceof PtDict)) return undefined;
  return WRAPPERS.map((key) => value.entries.get(key)).find((inner) => inner instanceof PtDict);
}

function tensorsOf(value: PtValue): Map<string, PtTensor> {
  const tensors = new Map<string, PtTensor>();
  if (!(value instanceof PtDict)) return tensors;
  for (const [name, tensor] of value.entries) {
    if (typeof name === 'string' && tensor instanceof PtTensor) tensors.set(name, tensor);
  }
  return tensors;
}
