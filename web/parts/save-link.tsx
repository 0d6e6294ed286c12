/** A picture as a file. */
import type { JSX } from 'preact';
import { gallery, type Kept, urlOf } from '../state/gallery.ts';
import { subject } from '../state/recipe.ts';

export function SaveLink({ kept }: { kept: Kept }): JSX.Element {
  // Its address may change with the gallery.
  void gallery.value;
  return (
    <a class="button" href={urlOf(kept)} download={fileName(kept)}>
      Save PNG
    </a>
  );
}

/** As the command line names them: `pear-williams-22.png`. */
function fileName({ recipe }: Kept): string {
  const words = subject(recipe)
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '');
  return `${words.slice(0, 60) || 'picture'}-${recipe.seed}.png`;
}
