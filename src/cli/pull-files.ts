/** What `llamagen pull` downloads: asked for its size first, then fetched. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { folderBytes } from '../catalogue/checkpoint-memory.ts';
import {
  type Checkpoint,
  filesOf,
  type OfficialFile,
  type OfficialT5,
} from '../catalogue/checkpoints.ts';
import type { TextEncoderFiles } from '../node/convert-text.ts';
import { assertSpace, freeBytes } from '../node/hub/disk.ts';
import {
  type DownloadedFile,
  type DownloadOptions,
  downloadFile,
  type FileFacts,
  fileFacts,
} from '../node/hub/download.ts';
import { hubSettings } from '../node/hub/settings.ts';
import { downloadShard, encoderIsHere, findEncoder, type HubEncoder } from '../node/hub/t5.ts';
import type { PullOptions, PullTools } from './pull.ts';
import { formatMB, type Report } from './report.ts';

/** One run of the command. */
export interface Pull {
  readonly options: PullOptions;
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly tools: PullTools;
  readonly checkpoint: Checkpoint;
  readonly folder: string;
}

/**
 * Asks the hub for the sizes, and the disks for room for the downloads and the model folder.
 * @returns Where the encoder of the model's T5 is, if it has one.
 */
export async function checkSpace(pull: Pull): Promise<HubEncoder | undefined> {
  const { checkpoint, report } = pull;
  let toFetch = 0;
  for (const file of filesOf(checkpoint)) {
    const facts: FileFacts = await fileFacts(downloadOptions(pull, file));
    const bytes = facts.bytes ?? file.estimatedBytes;
    if (!facts.inCache) toFetch += bytes;
    const where = facts.inCache ? 'in the cache' : `from ${file.repo}`;
    report.line(`file     ${file.file}  ${formatMB(bytes)}, ${where}`);
  }
  const { t5 } = checkpoint;
  if (!t5) {
    await assertRoom(pull, toFetch);
    return undefined;
  }
  const options = repoOptions(pull, t5.repo);
  const encoder = await findEncoder(options);
  const isHere = await encoderIsHere(options, encoder);
  const where = isHere ? 'in the cache' : `the tensors of its encoder from ${t5.repo}`;
  report.line(`file     ${encoder.shards.join(', ')}  ~${formatMB(t5.estimatedBytes)}, ${where}`);
  await assertRoom(pull, toFetch + (isHere ? 0 : t5.estimatedBytes));
  return encoder;
}

async function assertRoom(pull: Pull, toFetch: number): Promise<void> {
  const { checkpoint, tools, folder, options } = pull;
  const free = tools.freeBytes ?? freeBytes;
  const { cache } = hubSettings(tools.env ?? process.env);
  if (toFetch > 0 && !checkpoint.gpt) {
    return assertSpace(cache, toFetch, `downloading ${checkpoint.name}`, free);
  }
  const made = checkpoint.gpt ? folderBytes(checkpoint, options.dtype) : 0;
  if ((await deviceOf(cache)) === (await deviceOf(folder))) {
    const what = `downloading and converting ${checkpoint.name}`;
    await assertSpace(folder, toFetch + made, what, free);
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

function repoOptions({ signal, tools, report }: Pull, repo: string): Omit<DownloadOptions, 'file'> {
  const { env, timing } = tools;
  return { repo, signal, onNote: (text) => report.note(text), env, timing };
}

const downloadOptions = (
  pull: Pull,
  { repo, file }: Pick<OfficialFile, 'repo' | 'file'>,
): DownloadOptions => ({ ...repoOptions(pull, repo), file });

/** An official file on this machine. */
export type FetchedFile = DownloadedFile & Pick<OfficialFile, 'repo' | 'file'>;

/** What a model is made of. */
export interface FetchedFiles {
  readonly vq: FetchedFile;
  /** A tokenizer may stand alone. */
  readonly gpt?: FetchedFile | undefined;
  readonly text?: TextEncoderFiles | undefined;
  /** All of them, in the order in which they were fetched. */
  readonly files: readonly FetchedFile[];
}

/** Fetches the files, tokenizer first. */
export async function fetchAll(pull: Pull, encoder: HubEncoder | undefined): Promise<FetchedFiles> {
  const { vq: vqFile, gpt: gptFile, t5 } = pull.checkpoint;
  const vq = await fetchFile(pull, vqFile);
  const gpt = gptFile && (await fetchFile(pull, gptFile));
  const own = gpt ? [vq, gpt] : [vq];
  if (!t5 || !encoder) return { vq, gpt, files: own };
  const read = await fetchT5(pull, t5, encoder);
  return { vq, gpt, text: read.text, files: [...own, ...read.files] };
}

async function fetchT5(
  pull: Pull,
  { repo, estimatedBytes }: OfficialT5,
  encoder: HubEncoder,
): Promise<{ text: TextEncoderFiles; files: FetchedFile[] }> {
  const config = await fetchFile(pull, { repo, file: 'config.json', estimatedBytes: 1e3 });
  const tokenizer = await fetchFile(pull, { repo, file: 'tokenizer.json', estimatedBytes: 2.4e6 });
  const shards: FetchedFile[] = [];
  for (const file of encoder.shards) {
    const wanted = { repo, file, estimatedBytes };
    shards.push(await fetchFile(pull, wanted, (options) => downloadShard(options, encoder)));
  }
  const text = {
    config: config.path,
    tokenizer: tokenizer.path,
    weights: shards.map(({ path }) => path),
  };
  return { text, files: [config, tokenizer, ...shards] };
}

async function fetchFile(
  pull: Pull,
  { repo, file, estimatedBytes }: Pick<OfficialFile, 'repo' | 'file' | 'estimatedBytes'>,
  download = downloadFile,
): Promise<FetchedFile> {
  const { report, tools } = pull;
  let start = performance.now();
  let resumed = 0;
  report.stopProgress();
  const fetched = await download({
    ...downloadOptions(pull, { repo, file }),
    freeBytes: tools.freeBytes,
    onProgress({ doneBytes, totalBytes = estimatedBytes, resumedBytes }) {
      if (resumedBytes !== resumed) {
        report.note(`${file}: going on at ${formatMB(resumedBytes)}`);
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
  return { repo, file, ...fetched };
}
