/** A model of a server, by way of the store. */
import { type GivenModel, openGiven } from '../../convert/given.ts';
import { WeightsError } from '../../errors.ts';
import { openModelWeights } from '../../weights/model-weights.ts';
import type { ModelFiles } from '../../weights/source.ts';
import type { Blocks } from './blocks.ts';
import { fetchBlock } from './download.ts';
import { fetchModel } from './fetch-model.ts';
import { ifUnlocked, withLock } from './locks.ts';
import { blocksOf, type Opening, recordOf, webOf, wholeRecord } from './opening.ts';
import type { Origin, OriginPlan } from './origin.ts';
import { type Bytes, gone } from './place.ts';
import {
  type FileRecord,
  type ModelRecord,
  namedFiles,
  readRecord,
  removeOthers,
  writeRecord,
} from './record.ts';

/** Longest wait for word of newer versions where the model is here. */
const ASK_MS = 5000;

/**
 * The files of a model: as they are kept, once the server has no newer ones.
 * @throws DownloadError, WeightsError; the reason of the signal.
 */
export async function openRemote(opening: Opening): Promise<ModelFiles> {
  const { origin, options } = opening;
  const { signal, onNote } = options;
  signal?.throwIfAborted();
  await settle(opening);
  const before = await wholeRecord(opening);
  if (before) {
    const plan = await askAgain(opening, before.name);
    const isLatest = plan !== undefined && (await isSame(origin, before, plan));
    if (!plan || isLatest) {
      await noteUse(opening, isLatest);
      return filesOf(opening, before);
    }
    onNote?.(`${before.name}: there is a newer version: fetching what changed`, true);
  }
  let fetched: ModelRecord;
  try {
    fetched = await fetchModel(opening, (record) => assertModel(opening, record));
  } catch (error) {
    signal?.throwIfAborted();
    const kept = await wholeRecord(opening);
    if (!kept) throw error;
    noteAsStored(opening, kept.name, error);
    return filesOf(opening, kept);
  }
  return filesOf(opening, fetched);
}

/** The files of a model that is kept as a whole, whatever the server has now. */
export async function storedFiles(opening: Opening): Promise<ModelFiles | undefined> {
  const record = await wholeRecord(opening);
  return record && filesOf(opening, record);
}

/** Keeps a model that went to memory, where there is room for all of it now. */
async function settle({ place, origin: { id }, freeBytes }: Opening): Promise<void> {
  if (!place.isSpilled) return;
  const { files = [] } = (await readRecord(place, id)) ?? {};
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > ((await freeBytes()) ?? 0)) return;
  // What fails here leaves it where it is.
  await ifUnlocked(id, () => place.settle()).catch(gone);
}

/** @param isLatest Whether the server has the version that is used. */
async function noteUse(opening: Opening, isLatest: boolean): Promise<void> {
  const { disk, place, origin } = opening;
  const { id } = origin;
  if (place.isSpilled) return;
  const write = async (): Promise<void> => {
    const record = await readRecord(disk, id);
    if (!record) return;
    // A server that went back to the version before needs no other.
    const used = (isLatest && record.before) || record;
    await writeRecord(disk, id, { ...used, usedAt: Date.now() });
    if (used !== record) await removeOthers(disk, id, used.files);
  };
  // A full disk, or another tab that is writing: the time is not worth a failure here or there.
  await ifUnlocked(id, write).catch(gone);
}

/** What the server has now; undefined where it does not say, so that what is here has to do. */
async function askAgain(opening: Opening, name: string): Promise<OriginPlan | undefined> {
  const { origin, options } = opening;
  const timeout = AbortSignal.timeout(ASK_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  try {
    return await origin.plan(webOf(opening, signal));
  } catch (error) {
    options.signal?.throwIfAborted();
    noteAsStored(opening, name, error);
    return undefined;
  }
}

function noteAsStored({ options }: Opening, name: string, error: unknown): void {
  options.onNote?.(`using ${name} as it is stored: ${whyOf(error)}`);
}

const whyOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function isSame({ id }: Origin, before: ModelRecord, plan: OriginPlan): Promise<boolean> {
  const now = await Promise.all(plan.files.map((file) => recordOf(id, file)));
  const folders = (files: readonly FileRecord[]): string =>
    files.map(({ file, folder }) => `${file} ${folder}`).join('\n');
  return folders(now) === folders(before.files);
}

/** The files of the model of a record; what is damaged of them is fetched anew. */
async function filesOf(opening: Opening, record: ModelRecord): Promise<ModelFiles> {
  const model = await modelOf(opening, record, mend);
  for (const note of model.notes) opening.options.onNote?.(note);
  return { name: opening.origin.name, open: model.open };
}

/** Gives a block that cannot be read. */
type Mend = (opening: Opening, file: FileRecord, blocks: Blocks, index: number) => Promise<Bytes>;

/** The model of a record: a folder as it is, checkpoints as they are read. */
function modelOf(opening: Opening, { files }: ModelRecord, fill: Mend): Promise<GivenModel> {
  const sources = files.map((file) => {
    const blocks = blocksOf(opening.place, file);
    return [file.file, blocks.source((index) => fill(opening, file, blocks, index))] as const;
  });
  return openGiven(new Map(sources));
}

/** @throws WeightsError or OptionError when files are no model, by what their beginnings say. */
async function assertModel(opening: Opening, record: ModelRecord): Promise<void> {
  // Who fetches holds the lock that `mend` waits for.
  const fetched: Mend = ({ options }, file, blocks, index) =>
    fetchBlock(webOf(opening, options.signal), file, blocks, index);
  const model = await modelOf(opening, record, fetched);
  await Promise.all(['gpt', 'vq'].map((part) => openModelWeights(model, part)));
}

/**
 * Fetches a block anew that is damaged, or gone: of a model that was removed nothing is written.
 * @throws WeightsError when it cannot be had.
 */
async function mend(
  opening: Opening,
  file: FileRecord,
  blocks: Blocks,
  index: number,
): Promise<Bytes> {
  const { origin, place, options } = opening;
  return withLock(origin.id, { onWait: () => {} }, async () => {
    // Another tab may have been first.
    const there = await blocks.read(index);
    if (there) return there;
    const record = await readRecord(place, origin.id).catch(gone);
    const isKept = record && namedFiles(record).some(({ folder }) => folder === file.folder);
    const fault = isKept ? 'what is stored of it is damaged' : 'it is not stored any more';
    const bytes = await fetchBlock(webOf(opening, undefined), file, blocks, index).catch(
      (cause) => {
        throw new WeightsError(
          `${blocks.name}: ${fault}, and it cannot be fetched anew (${whyOf(cause)}): load the model again with a network`,
          { cause },
        );
      },
    );
    const note = isKept ? 'what was stored is damaged' : fault;
    options.onNote?.(`${file.file}: ${note}: fetched ${bytes.byteLength} bytes anew`, !isKept);
    if (isKept) await blocks.write(index, bytes).catch(gone);
    return bytes;
  });
}
