/** `llamagen convert`: official checkpoints to a model folder. */
import { basename } from 'node:path';
import { findCheckpoint } from '../catalogue/checkpoints.ts';
import { OptionError } from '../errors.ts';
import { type ConvertOptions, type ConvertPhase, convertCheckpoint } from '../node/convert.ts';
import { textEncoderFolder } from '../node/convert-text.ts';
import type { OutputOptions } from './context.ts';
import { newModelFolder, shortName } from './models.ts';
import { formatMB, type Report } from './report.ts';

export interface ConvertCommand
  extends OutputOptions,
    Pick<ConvertOptions, 'dtype' | 'grid' | 'heads' | 'ignore' | 'name'> {
  /** Paths of a decoder and a tokenizer, in any order. */
  readonly files: readonly string[];
  /** Folder of a T5, as it is on the hub, which reads the prompts of a text-conditional decoder. */
  readonly t5?: string | undefined;
  /** Folder to make. Default: one of the model's name among the user's models. */
  readonly out?: string | undefined;
}

/** Runs the command. */
export async function runConvert(
  { files, json: _json, out, t5, ...options }: ConvertCommand,
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
    out: out ?? newModelFolder(options.name ?? officialName(files)),
    gpt: first,
    vq: second,
    text: t5 === undefined ? undefined : await textEncoderFolder(t5),
    signal,
    onProgress(now, done, total) {
      if (now !== phase) since = performance.now();
      phase = now;
      report.progress({ phase: now, done, total, elapsedMs: performance.now() - since });
    },
  });
  const { folder, modelType, parameters, bytes, flushed, dtype, notes } = converted;
  const millions = (count: number): string => `${(count / 1e6).toFixed(1)}M`;
  report.line(
    `decoder    ${millions(parameters.gpt)} parameters as ${dtype}, tokenizer ${millions(parameters.vq)} as f32`,
  );
  if (parameters.t5 !== undefined) {
    report.line(`T5         ${millions(parameters.t5)} parameters of its encoder as bf16`);
  }
  for (const note of notes) report.line(`note: ${note}`);
  if (flushed > 0) {
    report.line(`flushed    ${flushed} weights are too small for ${dtype} and became 0`);
  }
  report.line(`wrote ${folder} (${formatMB(bytes)})`);
  const asked = modelType === 'c2i' ? '--class 0' : '--prompt "a cat"';
  report.line(`next: llamagen generate --model ${shortName(folder)} ${asked}`);
  report.json({ ...converted, elapsedMs: performance.now() - started });
}

/**
 * The name of the official model whose decoder has an official file name.
 * @throws OptionError when there is none.
 */
function officialName(files: readonly string[]): string {
  const known = files.map((file) => findCheckpoint(basename(file))).filter((found) => found?.gpt);
  const [first] = known;
  if (first && known.length === 1) return first.name;
  throw new OptionError(
    'where to? give the new model a name (--name), under which --model finds it, or a folder (--out)',
  );
}
