/** Runs golden cases through the code that generation uses. */
import type { PrecisionOptions } from '../../src/generate/model.ts';
import { openCase, readConfig } from './case.ts';
import type { Check } from './check.ts';
import { runGpt } from './gpt.ts';
import { runOp } from './op.ts';
import { runSampling } from './sampling.ts';
import { runVq } from './vq.ts';

export interface CaseResult {
  readonly name: string;
  readonly checks: readonly Check[];
  /** Why the case was not run. */
  readonly skipped?: string;
}

const LATER: Readonly<Record<string, string>> = {
  gpt_t2i: 'text-conditional models are not supported yet',
  t5_encoder: 'the text encoder is not supported yet',
  pt: '.pt checkpoints are not supported yet',
  full_gpt: 'full-size models with generated weights are not supported yet',
  full_vq: 'full-size models with generated weights are not supported yet',
};

/** Why a case cannot be run by this version, if so. */
export function reasonToSkip(folder: string): string | undefined {
  const { kind, op } = readConfig(folder);
  if (op === 'gelu_mlp') return 'the caption projection belongs to text-conditional models';
  const known = ['gpt_c2i', 'vq', 'sampling', 'op'].includes(kind);
  return known ? undefined : (LATER[kind] ?? `unknown kind "${kind}"`);
}

export async function runCase(
  device: GPUDevice,
  folder: string,
  options: PrecisionOptions = {},
): Promise<CaseResult> {
  const { name } = readConfig(folder);
  const skipped = reasonToSkip(folder);
  if (skipped) return { name, checks: [], skipped };
  const golden = await openCase(folder);
  const run = { gpt_c2i: runGpt, vq: runVq, sampling: runSampling, op: runOp }[golden.kind];
  if (!run) throw new Error(`${name}: kind "${golden.kind}" has no runner`);
  const checks = await run(device, golden, options);
  if (checks.length === 0) throw new Error(`${name}: nothing was checked`);
  return { name, checks };
}
