/** Checkpoints of `torch.save` against the safetensors files with the same tensors. */
import { join } from 'node:path';
import { WeightsError } from '../../src/errors.ts';
import { openFile } from '../../src/node/files.ts';
import { openPt } from '../../src/weights/pt/open.ts';
import { openSafetensors, type TensorEntry } from '../../src/weights/safetensors.ts';
import type { GoldenCase } from './case.ts';
import type { Check } from './check.ts';

/** One check per tensor: the number of differing bytes, of which none is allowed. */
export async function runPt(_device: GPUDevice, golden: GoldenCase): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [file, twin] of filesOf(golden)) {
    const { tensors } = await openPt(await openFile(join(golden.folder, file)));
    const expected = await openSafetensors(await openFile(join(golden.folder, twin)));
    for (const name of new Set([...tensors.keys(), ...expected.tensors.keys()])) {
      const [got, want] = [tensors.get(name), expected.tensors.get(name)];
      const same = got && want && got.dtype === want.dtype && isSameShape(got, want);
      const differing = same
        ? differences(
            await got.read(0, got.length),
            await want.source.read(want.offset, want.byteLength),
          )
        : Number.POSITIVE_INFINITY;
      checks.push({
        tensor: `${file}:${name}`,
        maxAbsError: differing,
        nmse: differing === 0 ? 0 : Number.POSITIVE_INFINITY,
        tolerance: 0,
        pass: differing === 0,
      });
    }
  }
  return checks;
}

/** Each checkpoint with its twin, of `config.files`. */
function filesOf({ name, config: { files } }: GoldenCase): [file: string, twin: string][] {
  if (typeof files !== 'object' || files === null) {
    throw new WeightsError(`${name}: config.json has no "files"`);
  }
  return Object.entries(files as Record<string, { expected: string }>).map(
    ([file, { expected }]) => [file, expected],
  );
}

const isSameShape = (a: Pick<TensorEntry, 'shape'>, b: Pick<TensorEntry, 'shape'>): boolean =>
  String(a.shape) === String(b.shape);

/** Bytes that differ; all of them when the lengths do. */
function differences(got: Uint8Array, want: Uint8Array): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  return got.reduce((count, byte, i) => count + (byte === want[i] ? 0 : 1), 0);
}
