/** Runs golden cases through the code that generation uses. */
import type { PrecisionOptions } from '../../src/load/precision.ts';
import { type GoldenCase, openCase, readConfig } from './case.ts';
import type { Check } from './check.ts';
import { runFullGpt, runFullVq } from './full.ts';
import { runGpt } from './gpt.ts';
import { runModelFolder } from './model-folder.ts';
import { runOp } from './op.ts';
import { runPt } from './pt.ts';
import { runSampling } from './sampling.ts';
import { runT5 } from './t5.ts';
import { runTextGpt } from './text-gpt.ts';
import { runTextModelFolder } from './text-model-folder.ts';
import { runVq } from './vq.ts';

export interface CaseResult {
  readonly name: string;
  readonly checks: readonly Check[];
  /** Why the case was not run. */
  readonly skipped?: string;
}

type Runner = (
  device: GPUDevice,
  golden: GoldenCase,
  options?: PrecisionOptions,
  classes?: readonly number[],
) => Promise<Check[]>;

const RUNNERS: Readonly<Record<string, Runner>> = {
  gpt_c2i: runGpt,
  t5_encoder: runT5,
  gpt_t2i: runTextGpt,
  vq: runVq,
  model_folder: runModelFolder,
  text_model_folder: runTextModelFolder,
  sampling: runSampling,
  op: runOp,
  pt: runPt,
  full_gpt: runFullGpt,
  full_vq: runFullVq,
};

/** Full-size models take a minute each on a software adapter. */
const FULL: ReadonlySet<string> = new Set(['full_gpt', 'full_vq']);

/** Kinds of which something is judged in `fast`; the others compare floats by tolerances of f32. */
const FAST: ReadonlySet<string> = new Set([
  'gpt_c2i',
  'gpt_t2i',
  'vq',
  'model_folder',
  'text_model_folder',
]);

/**
 * Why a case is not run, if so.
 * @param full Run full-size models too.
 */
export function reasonToSkip(
  folder: string,
  { full = false, precision }: Pick<CaseOptions, 'full' | 'precision'> = {},
): string | undefined {
  const { kind } = readConfig(folder);
  if (precision === 'fast' && !FAST.has(kind)) return 'its tolerances are those of exact';
  if (FULL.has(kind) && !full) return 'a full-size model takes minutes: npm run golden:full';
  return kind in RUNNERS ? undefined : `unknown kind "${kind}"`;
}

export interface CaseOptions extends PrecisionOptions {
  /** Run full-size models too. */
  readonly full?: boolean | undefined;
  /** Of a model folder, the classes, or prompts by their place, whose greedy tokens are drawn; default all. */
  readonly classes?: readonly number[];
}

/** Runs a case, or says why it is skipped; in `exact` unless the options say another precision. */
export async function runCase(
  device: GPUDevice,
  folder: string,
  { full, classes, ...asked }: CaseOptions = {},
): Promise<CaseResult> {
  const { name, kind } = readConfig(folder);
  const skipped = reasonToSkip(folder, { full, precision: asked.precision });
  if (skipped) return { name, checks: [], skipped };
  const run = RUNNERS[kind];
  if (!run) throw new Error(`${name}: kind "${kind}" has no runner`);
  // An f16 cache is not exact: what is asked for by itself decides.
  const options: PrecisionOptions = {
    ...(asked.kvDtype !== 'f16' && { precision: 'exact' }),
    ...asked,
  };
  const checks = await run(device, await openCase(folder), options, classes);
  if (checks.length === 0) throw new Error(`${name}: nothing was checked`);
  return { name, checks };
}
