/**
 * Vitest setup: puts the fault of LLAMAGEN_MUTANT into every kernel text that has a place for it, and
 * writes what it changed to the file LLAMAGEN_MUTANT_LOG.
 */
import { appendFileSync } from 'node:fs';
import { globals } from 'webgpu';
import { type Question, textWith } from './question.ts';

const { LLAMAGEN_MUTANT: wanted, LLAMAGEN_MUTANT_LOG: log } = process.env;

function install(question: Question, note: (diff: string) => void): void {
  const { prototype } = (globals as { GPUDevice: { prototype: GPUDevice } }).GPUDevice;
  const original = prototype.createShaderModule;
  prototype.createShaderModule = function (descriptor) {
    const { label = '', code } = descriptor;
    const faulty = textWith(question, label.split(' ')[0] ?? '', label, code);
    if (faulty) note(faulty.diff);
    return original.call(this, { ...descriptor, code: faulty?.code ?? code });
  };
}

if (wanted && log) {
  install(JSON.parse(wanted) as Question, (diff) => appendFileSync(log, `${diff}\n\n`));
}
