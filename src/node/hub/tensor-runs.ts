/** Which bytes of a safetensors file hold the tensors that are wanted, and in what order they are asked for. */
import type { Safetensors, TensorEntry } from '../../weights/safetensors.ts';
import { safetensorsHeader } from '../../weights/safetensors-writer.ts';

/** Bytes between two tensors that are fetched and dropped rather than asked around: a request takes as long. */
const MAX_GAP = 2 ** 20;

/** Neighbouring tensors, for one request. */
export interface TensorRun {
  /** First byte in the file of the hub, and the one after the last. */
  readonly begin: number;
  readonly end: number;
  /** What of it is kept, in order. */
  readonly kept: readonly { readonly begin: number; readonly end: number }[];
  /** Where the first kept byte goes. */
  readonly target: number;
}

/** A safetensors file that holds some tensors of another. */
export interface PartialFile {
  readonly header: Uint8Array<ArrayBuffer>;
  readonly byteLength: number;
  /** In the order of the bytes that they give. */
  readonly runs: readonly TensorRun[];
}

/** @param metadata Of the new file. */
export function planPartialFile(
  { tensors }: Safetensors,
  wants: (tensor: string) => boolean,
  metadata: Readonly<Record<string, string>>,
): PartialFile {
  const wanted = [...tensors.values()].filter(({ name }) => wants(name));
  const { bytes: header, order, byteLength } = safetensorsHeader(wanted, metadata);
  const runs: TensorRun[] = [];
  let target = header.byteLength;
  for (const tensor of order) {
    if (tensor.byteLength === 0) continue;
    addTensor(runs, tensor, target);
    target += tensor.byteLength;
  }
  return { header, byteLength, runs };
}

function addTensor(runs: TensorRun[], { offset, byteLength }: TensorEntry, target: number): void {
  const piece = { begin: offset, end: offset + byteLength };
  const last = runs.at(-1);
  if (last && offset >= last.end && offset - last.end <= MAX_GAP) {
    runs[runs.length - 1] = { ...last, end: piece.end, kept: [...last.kept, piece] };
  } else runs.push({ ...piece, kept: [piece], target });
}

/** What is left of a run when the new file has bytes up to `done`; undefined when nothing is. */
export function restOf(run: TensorRun, done: number): TensorRun | undefined {
  let skip = Math.max(0, done - run.target);
  const kept = run.kept.flatMap(({ begin, end }) => {
    const from = Math.min(end, begin + skip);
    skip -= from - begin;
    return from < end ? [{ begin: from, end }] : [];
  });
  const [first] = kept;
  return first && { begin: first.begin, end: run.end, kept, target: Math.max(run.target, done) };
}

/** The kept parts of a chunk of a run that begins at byte `begin` of the hub's file. */
export function keptOf(
  { kept }: TensorRun,
  chunk: Uint8Array<ArrayBuffer>,
  begin: number,
): Uint8Array<ArrayBuffer>[] {
  const end = begin + chunk.byteLength;
  return kept.flatMap((piece) => {
    const [from, to] = [Math.max(begin, piece.begin), Math.min(end, piece.end)];
    return from < to ? [chunk.subarray(from - begin, to - begin)] : [];
  });
}
