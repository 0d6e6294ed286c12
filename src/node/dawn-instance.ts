/** Instances of Dawn, which have to outlive all that comes of them. */

/** One for all copies of this module. */
const KEPT = Symbol.for('llamagen-webgpu instances of Dawn');

/**
 * Keeps an instance as long as the process. Dawn polls its instances from the event loop, also one that was
 * collected meanwhile, and that ends the process ("FATAL ERROR: Error::New napi_get_last_error_info"). A
 * variable of a module may not be enough: test runners and reloaders drop modules whose devices may still poll.
 */
export function keepInstance(instance: GPU): GPU {
  const process: typeof globalThis & { [KEPT]?: Set<GPU> } = globalThis;
  process[KEPT] ??= new Set();
  process[KEPT].add(instance);
  return instance;
}
