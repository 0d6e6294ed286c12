/** `llamagen convert`: official checkpoints to a model folder. */
import { OptionError } from '../errors.ts';
import { type ConvertOptions, type ConvertPhase, convertCheckpoint } from '../node/convert.ts';
import type { OutputOptions } from './context.ts';
import { formatMB, type Report } from './report.ts';

export interface ConvertCommand
  extends OutputOptions,
    Pick<ConvertOptions, 'out' | 'dtype' | 'grid' | 'heads' | 'ignore' | 'name'> {
  /** Paths of a decoder and a tokenizer, in any order. */
  readonly files: readonly string[];
}

/** Runs the command. */
export async function runConvert(
  { files, json: _json, ...options }: ConvertCommand,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const [first, second, ...more] = files;
  if (more.length > 0) {
    throw new OptionError(`convert expected a decoder and a tokenizer, got ${files.length} files`);
  }
  let phase: ConvertPhase | undefined;
  let since = performance.now();
  const started = since;
  const converted = await convertCheckpoint({
    ...options,
    ...(first !== undefined && { gpt: first }),
    ...(second !== undefined && { vq: second }),
    signal,
    onProgress(now, done, total) {
      if (now !== phase) since = performance.now();
      phase = now;
      report.progress({ phase: now, done, total, elapsedMs: performance.now() - since });
    },
  });
  const { folder, parameters, bytes, flushed, dtype, notes } = converted;
  const millions = (count: number): string => `${(count / 1e6).toFixed(1)}M`;
  report.line(
    `decoder    ${millions(parameters.gpt)} parameters as ${dtype}, tokenizer ${millions(parameters.vq)} as f32`,
  );
  for (const note of notes) report.line(`note: ${note}`);
  if (flushed > 0) {
    report.line(`flushed    ${flushed} weights are too small for ${dtype} and became 0`);
  }
  report.line(`wrote ${folder} (${formatMB(bytes)})`);
  report.line(`next: llamagen generate --model ${folder} --class 0`);
  report.json({ ...converted, elapsedMs: performance.now() - started });
}
