/**
 * Vitest setup: puts the fault named by LLAMAGEN_MUTANT into every kernel text that has a place for
 * it, and notes the label of each such kernel in the file LLAMAGEN_MUTANT_LOG.
 */
import { appendFileSync } from 'node:fs';
import { globals } from 'webgpu';
import { type Mutant, mutate } from './mutant.ts';
import { mutants } from './mutants.ts';

const { LLAMAGEN_MUTANT: wanted, LLAMAGEN_MUTANT_LOG: log } = process.env;

function install(mutant: Mutant, note: (label: string) => void): void {
  const { prototype } = (globals as { GPUDevice: { prototype: GPUDevice } }).GPUDevice;
  const original = prototype.createShaderModule;
  prototype.createShaderModule = function (descriptor) {
    const { label = '', code } = descriptor;
    const faulty = mutate(mutant, label, code);
    if (faulty !== code) note(label);
    return original.call(this, { ...descriptor, code: faulty });
  };
}

if (wanted && log) {
  const mutant = mutants.find(({ name }) => name === wanted);
  if (!mutant) throw new Error(`LLAMAGEN_MUTANT: there is no mutant "${wanted}"`);
  install(mutant, (label) => appendFileSync(log, `${label}\n`));
}
