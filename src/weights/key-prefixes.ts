/** Names of tensors without what wrappers of the network put into them. */
import { WeightsError } from '../errors.ts';
import { isIgnored } from './join.ts';
import { quote } from './quote.ts';

/** Names that only wrappers use: torch.compile, FSDP, Fabric, activation checkpointing. */
const WRAPPERS_ALONE = [
  '_orig_mod',
  '_fsdp_wrapped_module',
  '_fpw_module',
  '_forward_module',
  '_checkpoint_wrapped_module',
] as const;
const ANYWHERE: ReadonlySet<string> = new Set(WRAPPERS_ALONE);
/** Those that may be in front: also DDP, DeepSpeed and Lightning, whose names a network may have too. */
const IN_FRONT: ReadonlySet<string> = new Set([...WRAPPERS_ALONE, 'module', 'model']);

/**
 * Drops wrapper names: in front where all tensors share them (`module._orig_mod.norm.weight`), and
 * those of wrapped parts inside of a name (`layers.0._fsdp_wrapped_module.ffn_norm.weight`). Tensors
 * that no model needs (`loss.*` beside a Lightning model) may be without the shared ones.
 * @param file Its name, for messages.
 * @throws WeightsError when two tensors have one name then.
 */
export function withoutWrapperNames<T extends { readonly name: string }>(
  file: string,
  tensors: ReadonlyMap<string, T>,
): ReadonlyMap<string, T> {
  const front = sharedFront([...tensors.keys()]);
  const renamed = new Map<string, T>();
  for (const [name, tensor] of tensors) {
    const short = shortened(name, front);
    const before = renamed.get(short);
    if (!before) renamed.set(short, short === name ? tensor : { ...tensor, name: short });
    else if (!isIgnored(short)) {
      throw new WeightsError(
        `${file}: two tensors are ${quote(short)} without the names of wrappers ` +
          `(${[...IN_FRONT].join(', ')}): one of them is ${quote(name)}`,
      );
    }
  }
  return renamed;
}

/** The wrapper names in front of every name of a network, as they are written. */
function sharedFront(names: readonly string[]): string {
  const [first, ...others] = names.filter((name) => !isIgnored(name)).map(frontOf);
  let shared = first ?? [];
  for (const front of others) {
    const differs = shared.findIndex((part, i) => part !== front[i]);
    if (differs >= 0) shared = shared.slice(0, differs);
  }
  return shared.map((part) => `${part}.`).join('');
}

function frontOf(name: string): string[] {
  const parts = name.split('.');
  const end = parts.findIndex((part, i) => i === parts.length - 1 || !IN_FRONT.has(part));
  return parts.slice(0, end);
}

function shortened(name: string, front: string): string {
  const start = name.startsWith(front) ? front.length : 0;
  const parts = name.slice(start).split('.');
  return parts
    .filter((part, i) => !ANYWHERE.has(part) || start + i === 0 || i === parts.length - 1)
    .join('.');
}
