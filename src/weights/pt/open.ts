/** Opens the state dict in a file of `torch.save`. */
import type { Checkpoint, CheckpointTensor } from '../checkpoint.ts';
import type { ByteSource } from '../source.ts';
import { openArchive } from './archive.ts';
import { assertNothingForeign } from './foreign.ts';
import { stateDictsOf, tensorsOf } from './state-dict.ts';
import { trainingArgs } from './training-args.ts';
import type { PtStorage } from './values.ts';
import { viewTensor } from './view.ts';
import type { ByteRange } from './zip.ts';

/**
 * Opens the state dict of a `.pt` file, of the zip format or the older one, and checks that the file
 * has the bytes of every tensor in it. Nothing in the file is executed; only the directory, the
 * pickle and the headers of the entries are read.
 * @throws WeightsError that names file, place and value when the file is cut, has a foreign global in
 * its state dict, or says of a tensor what cannot be.
 */
export async function openPt(source: ByteSource): Promise<Checkpoint> {
  const archive = await openArchive(source);
  const ranges = new Map<PtStorage, ByteRange>();
  const tensors = new Map<string, CheckpointTensor>();
  const [taken, ...others] = stateDictsOf(archive.where, archive.value);
  assertNothingForeign(archive.where, taken);
  for (const [name, tensor] of tensorsOf(taken)) {
    const range = ranges.get(tensor.storage) ?? (await archive.locate(tensor.storage));
    ranges.set(tensor.storage, range);
    tensors.set(name, viewTensor(source, name, tensor, range));
  }
  return {
    name: source.name,
    byteLength: source.byteLength,
    tensors,
    takenFrom: taken.path.join('.'),
    others: others.map(({ path }) => path.join('.')),
    args: trainingArgs(taken),
  };
}
