/** `--preview`: a picture under way, in a file that is replaced again and again. */
import { OptionError } from '../errors.ts';
import type { GenerateOptions, ModelJson } from '../index.ts';
import { writeFileAtomic } from '../node/output.ts';
import { encodePng } from '../node/png.ts';
import { isStdout } from './destinations.ts';

export interface PreviewOptions {
  readonly preview?: string | undefined;
  readonly previewEvery?: number | undefined;
}

/** Parts of a grid with a preview between each, unless it is said otherwise: each is a picture to decode. */
const PARTS = 4;

/** What `generate` is asked for; the file is whole at any time. */
export function previewOptions(
  { preview, previewEvery }: PreviewOptions,
  { gpt: { blockSize } }: ModelJson,
): Pick<GenerateOptions, 'onPreview' | 'previewEvery'> {
  if (preview === undefined) {
    if (previewEvery === undefined) return {};
    throw new OptionError('--preview-every needs a file: give --preview too');
  }
  if (isStdout(preview))
    throw new OptionError('--preview expected a file, got standard output (-)');
  return {
    previewEvery: previewEvery ?? Math.ceil(blockSize / PARTS),
    onPreview: ({ picture }) => writeFileAtomic(preview, encodePng(picture)),
  };
}
