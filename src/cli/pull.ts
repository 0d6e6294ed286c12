/** `llamagen pull`: official checkpoints, from the hub to a model folder. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Checkpoint, resolveCheckpoint } from '../catalogue/checkpoints.ts';
import { IMAGENET_CLASSES } from '../catalogue/imagenet-classes.ts';
import { OptionError } from '../errors.ts';
import { downsampleOf } from '../models/vq-config.ts';
import type { TextEncoderFiles } from '../node/convert-text.ts';
import type { FreeBytes } from '../node/hub/disk.ts';
import type { DownloadOptions } from '../node/hub/download.ts';
import { assertFolderFree } from '../node/staging.ts';
import type { TargetDType } from '../weights/formats.ts';
import { type AdapterView, viewAdapter } from './adapter-view.ts';
import { listAsMarkdown, listCheckpoints } from './checkpoint-list.ts';
import { assertFits } from './fit.ts';
import { newModelFolder, quoted, shortName } from './models.ts';
import {
  checkSpace,
  type FetchedFile,
  type FetchedFiles,
  fetchAll,
  type Pull,
} from './pull-files.ts';
import { formatMB, type Report } from './report.ts';

export interface PullOptions {
  /** An official name. */
  readonly name?: string | undefined;
  readonly list?: boolean | undefined;
  readonly markdown?: boolean | undefined;
  readonly out?: string | undefined;
  readonly dtype: TargetDType;
  readonly force?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** Makes a model folder of official files: `convertCheckpoint` of the Node part. */
export type Convert = (options: {
  readonly gpt: string;
  readonly vq: string;
  readonly out: string;
  readonly dtype: TargetDType;
  readonly name: string;
  readonly description: string;
  /** Files of the T5 that reads prompts. */
  readonly text?: TextEncoderFiles | undefined;
  readonly classNames?: readonly string[] | undefined;
  /** Rows of the token grid: the cache keeps files under their hash, so no file name tells it. */
  readonly grid: number;
  /** SHA-256 by path: the download checked them. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  onProgress(phase: string, doneBytes: number, totalBytes: number): void;
}) => Promise<{
  readonly folder: string;
  readonly parameters: { readonly gpt: number; readonly vq: number; readonly t5?: number };
  readonly bytes: number;
}>;

/** What a pull works with. */
export interface PullTools {
  /** Without it, a pull ends with the files in the cache. */
  readonly convert?: Convert | undefined;
  /** Default: the variables of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly freeBytes?: FreeBytes | undefined;
  readonly timing?: DownloadOptions['timing'] | undefined;
  viewAdapter?(report: Report): Promise<AdapterView | undefined>;
}

/** Runs the command. Everything that can be refused is refused before the first byte is fetched. */
export async function runPull(
  options: PullOptions,
  report: Report,
  signal: AbortSignal,
  tools: PullTools = {},
): Promise<void> {
  const view = tools.viewAdapter ?? viewAdapter;
  if (options.markdown) return listAsMarkdown(report);
  if (options.list) {
    listCheckpoints(report, await view(report));
    return;
  }
  const checkpoint = named(options.name);
  const folder = options.out ?? newModelFolder(checkpoint.name, tools.env);
  if (checkpoint.gpt) {
    if (existsSync(join(folder, 'model.json'))) {
      report.line(`${folder} is there already: remove it, or give another --out, to make it again`);
      finish(report, { folder, made: false }, generateWith(folder, checkpoint));
      return;
    }
    assertFolderFree(folder);
  }
  const adapter = await view(report);
  if (adapter) report.line(`adapter  ${adapter.description}`);
  if (adapter && !options.force) {
    const note = assertFits(checkpoint, adapter);
    if (note) report.note(note);
  }
  const pull: Pull = { options, report, signal, tools, checkpoint, folder };
  const t5 = await checkSpace(pull);
  const fetched = await fetchAll(pull, t5);
  report.stopProgress();
  const { vq, gpt, files } = fetched;
  if (tools.convert && gpt) {
    const made = await convert(pull, tools.convert, { ...fetched, gpt });
    report.line(`wrote    ${made.folder}, ${formatMB(made.bytes)}, decoder in ${options.dtype}`);
    const kept = files.reduce((sum, file) => sum + file.bytes, 0);
    report.line(`cache    ${dirname(gpt.path)} keeps the ${formatMB(kept)} of downloads`);
    const { parameters, bytes } = made;
    const result = {
      folder: made.folder,
      made: true,
      dtype: options.dtype,
      parameters,
      bytes,
      files,
    };
    finish(report, result, generateWith(made.folder, checkpoint));
    return;
  }
  for (const { file, path } of files) report.line(`${file} is ${path}`);
  const paths = [gpt?.path ?? 'DECODER.pt', vq.path].join(' ');
  const grid = checkpoint.grid === undefined ? '' : ` --grid ${checkpoint.grid}`;
  const to = options.out === undefined ? '--name NAME' : `--out ${quoted(folder)}`;
  finish(report, { files }, `llamagen convert ${paths}${grid} ${to}`);
}

function named(name: string | undefined): Checkpoint {
  if (name === undefined) {
    throw new OptionError('which model? "llamagen pull --list" shows them all');
  }
  return resolveCheckpoint(name);
}

async function convert(
  { checkpoint, options, report, signal, folder }: Pull,
  convertFiles: Convert,
  { vq, gpt, text }: FetchedFiles & { readonly gpt: FetchedFile },
): ReturnType<Convert> {
  const { name, grid = 0 } = checkpoint;
  let phase = '';
  let start = performance.now();
  const pixels = grid * downsampleOf(checkpoint.vqConfig);
  const condition = text ? 'text' : 'class';
  const made = await convertFiles({
    gpt: gpt.path,
    vq: vq.path,
    ...(text ? { text } : { classNames: IMAGENET_CLASSES }),
    out: folder,
    dtype: options.dtype,
    name,
    description: `Official ${condition}-conditional LlamaGen, ${pixels}x${pixels} pixels: ${gpt.file} and ${vq.file} of ${gpt.repo}`,
    grid,
    hashes: { [gpt.path]: gpt.sha256, [vq.path]: vq.sha256 },
    signal,
    onProgress(now, done, total) {
      if (now !== phase) start = performance.now();
      phase = now;
      report.progress({ phase, done, total, elapsedMs: performance.now() - start });
    },
  });
  report.stopProgress();
  return made;
}

const generateWith = (folder: string, { t5 }: Checkpoint): string =>
  `llamagen generate --model ${shortName(folder)} ${t5 ? '--prompt "a golden retriever in the snow"' : '--class "golden retriever"'}`;

/** What was made, and what to run next. */
function finish(report: Report, result: Readonly<Record<string, unknown>>, next: string): void {
  report.line(`next     ${next}`);
  report.json({ ...result, next });
}
