/** Why a run reports nothing: what was measured cannot be trusted. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** @throws Refusal that names the first value that is not finite. */
export function assertFinite(what: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new Refusal(`${what}: value ${i} is ${values[i]}, so nothing is reported`);
  }
}
