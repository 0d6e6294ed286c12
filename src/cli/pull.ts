/** `llamagen pull`: official checkpoints, from the hub to a model folder. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { folderBytes } from '../catalogue/checkpoint-memory.ts';
import {
  type Checkpoint,
  filesOf,
  type OfficialFile,
  resolveCheckpoint,
} from '../catalogue/checkpoints.ts';
import { IMAGENET_CLASSES } from '../catalogue/imagenet-classes.ts';
import { OptionError } from '../errors.ts';
import { downsampleOf } from '../models/vq-config.ts';
import { assertSpace, type FreeBytes, freeBytes } from '../node/hub/disk.ts';
import {
  type DownloadedFile,
  type DownloadOptions,
  downloadFile,
  type FileFacts,
  fileFacts,
} from '../node/hub/download.ts';
import { hubSettings } from '../node/hub/settings.ts';
import { assertFolderFree } from '../node/staging.ts';
import type { TargetDType } from '../weights/formats.ts';
import { type AdapterView, viewAdapter } from './adapter-view.ts';
import { listAsMarkdown, listCheckpoints } from './checkpoint-list.ts';
import { assertFits } from './fit.ts';
import { newModelFolder, quoted, shortName } from './models.ts';
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
  readonly classNames: readonly string[];
  /** Rows of the token grid: the cache keeps files under their hash, so no file name tells it. */
  readonly grid: number;
  /** SHA-256 by path: the download checked them. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  onProgress(phase: string, doneBytes: number, totalBytes: number): void;
}) => Promise<{
  readonly folder: string;
  readonly parameters: { readonly gpt: number; readonly vq: number };
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
      finish(report, { folder, made: false }, generateWith(folder));
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
  await checkSpace(pull);
  const [vq, gpt] = await fetchAll(pull);
  report.stopProgress();
  const files = [vq, gpt].filter((file) => file !== undefined);
  if (tools.convert && vq && gpt) {
    const made = await convert(pull, tools.convert, vq, gpt);
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
    finish(report, result, generateWith(made.folder));
    return;
  }
  for (const { file, path } of files) report.line(`${file} is ${path}`);
  const paths = [gpt?.path ?? 'DECODER.pt', vq?.path].join(' ');
  const grid = checkpoint.grid === undefined ? '' : ` --grid ${checkpoint.grid}`;
  const to = options.out === undefined ? '--name NAME' : `--out ${quoted(folder)}`;
  finish(report, { files }, `llamagen convert ${paths}${grid} ${to}`);
}

/** One run of the command. */
interface Pull {
  readonly options: PullOptions;
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly tools: PullTools;
  readonly checkpoint: Checkpoint;
  readonly folder: string;
}

function named(name: string | undefined): Checkpoint {
  if (name === undefined) {
    throw new OptionError('which model? "llamagen pull --list" shows them all');
  }
  const checkpoint = resolveCheckpoint(name);
  const { unsupported } = checkpoint;
  if (unsupported === undefined) return checkpoint;
  throw new OptionError(`${checkpoint.name} cannot be used: ${unsupported}`);
}

/** Asks the hub for the sizes, and the disks for room for the downloads and the model folder. */
async function checkSpace(pull: Pull): Promise<void> {
  const { checkpoint, report, tools, folder, options } = pull;
  const free = tools.freeBytes ?? freeBytes;
  const { cache } = hubSettings(tools.env ?? process.env);
  let toFetch = 0;
  for (const file of filesOf(checkpoint)) {
    const facts: FileFacts = await fileFacts(downloadOptions(pull, file));
    const bytes = facts.bytes ?? file.estimatedBytes;
    if (!facts.inCache) toFetch += bytes;
    const where = facts.inCache ? 'in the cache' : `from ${file.repo}`;
    report.line(`file     ${file.file}  ${formatMB(bytes)}, ${where}`);
  }
  if (toFetch > 0 && !checkpoint.gpt) {
    return assertSpace(cache, toFetch, `downloading ${checkpoint.name}`, free);
  }
  const made = checkpoint.gpt ? folderBytes(checkpoint, options.dtype) : 0;
  if ((await deviceOf(cache)) === (await deviceOf(folder))) {
    await assertSpace(
      folder,
      toFetch + made,
      `downloading and converting ${checkpoint.name}`,
      free,
    );
    return;
  }
  if (toFetch > 0) await assertSpace(cache, toFetch, `downloading ${checkpoint.name}`, free);
  await assertSpace(folder, made, `the folder of ${checkpoint.name}`, free);
}

/** The file system that a folder is on, or will be. */
async function deviceOf(folder: string): Promise<number> {
  let place = resolve(folder);
  while (!existsSync(place) && place !== dirname(place)) place = dirname(place);
  return (await stat(place)).dev;
}

function downloadOptions({ signal, tools, report }: Pull, file: OfficialFile): DownloadOptions {
  const { env, timing } = tools;
  return {
    repo: file.repo,
    file: file.file,
    signal,
    onNote: (text) => report.note(text),
    env,
    timing,
  };
}

/** An official file on this machine. */
type Fetched = DownloadedFile & Pick<OfficialFile, 'repo' | 'file'>;

/** The files, tokenizer first. */
async function fetchAll(pull: Pull): Promise<readonly Fetched[]> {
  const fetched: Fetched[] = [];
  for (const official of filesOf(pull.checkpoint)) {
    const { repo, file } = official;
    fetched.push({ repo, file, ...(await fetchFile(pull, official)) });
  }
  return fetched;
}

async function fetchFile(pull: Pull, official: OfficialFile): Promise<DownloadedFile> {
  const { report, tools } = pull;
  let start = performance.now();
  let resumed = 0;
  report.stopProgress();
  return downloadFile({
    ...downloadOptions(pull, official),
    freeBytes: tools.freeBytes,
    onProgress({ doneBytes, totalBytes = official.estimatedBytes, resumedBytes }) {
      if (resumedBytes !== resumed) {
        report.note(`${official.file}: going on at ${formatMB(resumedBytes)}`);
        // The speed is that of the bytes of this try.
        start = performance.now();
        resumed = resumedBytes;
      }
      report.progress({
        phase: 'download',
        done: doneBytes,
        total: totalBytes,
        before: resumedBytes,
        elapsedMs: performance.now() - start,
      });
    },
  });
}

async function convert(
  { checkpoint, options, report, signal, folder }: Pull,
  convertFiles: Convert,
  vq: Fetched,
  gpt: Fetched,
): ReturnType<Convert> {
  const { name, grid = 0 } = checkpoint;
  let phase = '';
  let start = performance.now();
  const pixels = grid * downsampleOf(checkpoint.vqConfig);
  const made = await convertFiles({
    gpt: gpt.path,
    vq: vq.path,
    out: folder,
    dtype: options.dtype,
    name,
    description: `Official class-conditional LlamaGen, ${pixels}x${pixels} pixels: ${gpt.file} and ${vq.file} of ${gpt.repo}`,
    classNames: IMAGENET_CLASSES,
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

const generateWith = (folder: string): string =>
  `llamagen generate --model ${shortName(folder)} --class "golden retriever"`;

/** What was made, and what to run next. */
function finish(report: Report, result: Readonly<Record<string, unknown>>, next: string): void {
  report.line(`next     ${next}`);
  report.json({ ...result, next });
}
