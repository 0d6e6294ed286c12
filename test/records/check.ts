/** Runs a kernel on the inputs of its record and compares what it makes with the oracle. */
import type { Kernel } from '../../kernels/kernel.ts';
import { expectClose, type Tolerance } from '../oracle/compare.ts';
import { runKernel } from '../support/run-kernel.ts';
import type { Close, KernelRecord, Values } from './record.ts';

/** The inputs of a kernel. */
export interface CaseInputs {
  /** As buffers hold them: quants and scales in place of weights of integers. */
  readonly given: Values;
  /** The values they stand for, by the names the oracle knows. */
  readonly meant: Values;
}

/** What a record puts into the bindings that a kernel reads. */
export function inputsOf({ inputs }: KernelRecord, kernel: Kernel, params: object): CaseInputs {
  const given: Record<string, ArrayLike<number>> = {};
  const meant: Record<string, ArrayLike<number>> = {};
  for (const [name, fill] of Object.entries(inputs)) {
    const role = kernel.bindings[name]?.role;
    if (role === undefined || role === 'out') continue;
    const made = fill(params);
    if ('meant' in made) Object.assign(given, made.inputs);
    else given[name] = made;
    meant[name] = 'meant' in made ? made.meant : made;
  }
  return { given, meant };
}

/**
 * Runs a kernel and compares.
 * @param kernel With a fault, for mutants. Default the kernel of the parameters.
 * @throws Error when an output is not what the oracle makes.
 */
export async function checkCase(
  device: GPUDevice,
  record: KernelRecord,
  params: object,
  kernel: Kernel = record.kernel(params),
): Promise<void> {
  const { given, meant } = inputsOf(record, kernel, params);
  const made = await runKernel(device, kernel, given);
  compareOutputs(record, params, made, record.oracle(params, meant, made));
}

/** @throws Error when an output is missing or not close enough. */
export function compareOutputs(
  { name, partly = [], tolerance }: KernelRecord,
  params: object,
  made: Values,
  expected: Values,
): void {
  const names = (values: Values): string => Object.keys(values).sort().join(', ');
  if (names(made) !== names(expected)) {
    throw new Error(`${name}: the oracle makes ${names(expected)}, the kernel ${names(made)}`);
  }
  for (const [output, values] of Object.entries(expected)) {
    const got = made[output]!;
    const closeness = tolerance(output, params);
    const what = `${name}: ${output}`;
    const isPartly = partly.includes(output);
    if (closeness === 'equal') expectEqual(what, got, values, isPartly);
    else if (isPartly) expectPartlyClose(what, got, values, closeness);
    else expectRowsClose(what, got, values, closeness);
  }
}

function expectRowsClose(
  what: string,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  { each = expected.length, zeros = false, ...tolerance }: Close,
): void {
  const [all, right] = [new Float64Array(got), new Float64Array(expected)];
  if (all.length !== right.length) {
    throw new Error(`${what}: ${all.length} values, expected ${right.length}`);
  }
  const stray = zeros ? right.findIndex((v, i) => (v === 0) !== (all[i] === 0)) : -1;
  if (stray >= 0) {
    throw new Error(`${what}: value ${stray} is ${all[stray]}, expected ${right[stray]}`);
  }
  for (let at = 0; at < right.length; at += each) {
    const name = each < right.length ? `${what}, row ${at / each}` : what;
    expectClose(name, all.subarray(at, at + each), right.subarray(at, at + each), tolerance);
  }
}

/** What is NaN in `expected` must be NaN; the rest must be close. */
function expectPartlyClose(
  what: string,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
): void {
  const [all, right] = [new Float64Array(expected.length), new Float64Array(expected.length)];
  let written = 0;
  for (let i = 0; i < expected.length; i++) {
    if (Number.isNaN(expected[i])) {
      if (!Number.isNaN(got[i])) throw new Error(`${what}: value ${i} is ${got[i]}, expected none`);
    } else {
      all[written] = got[i]!;
      right[written++] = expected[i]!;
    }
  }
  expectClose(what, all.subarray(0, written), right.subarray(0, written), tolerance);
}

function expectEqual(
  what: string,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  isPartly: boolean,
): void {
  if (got.length !== expected.length) {
    throw new Error(`${what}: ${got.length} values, expected ${expected.length}`);
  }
  for (let i = 0; i < expected.length; i++) {
    const [g, e] = [got[i]!, expected[i]!];
    if (isPartly ? Object.is(g, e) || g === e : g === e) continue;
    throw new Error(`${what}: value ${i} is ${g}, expected ${e}`);
  }
}
