/** Whether two who draw the same jobs draw the same pixels. */
import { differingParts } from '../load/fingerprint.ts';
import type { ServedModel } from './backend.ts';

/** What makes other pixels of equal jobs, if anything. */
export function modelsDifference(
  known: readonly ServedModel[],
  models: readonly ServedModel[],
): string | undefined {
  const parts = known.flatMap(({ fingerprint }, i) => {
    const other = models[i]?.fingerprint;
    if (fingerprint.digest === other?.digest) return [];
    return differingParts(fingerprint.text, other?.text ?? '');
  });
  return parts.length > 0 ? `another ${parts.join(', ')}` : undefined;
}
