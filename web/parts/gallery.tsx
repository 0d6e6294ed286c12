/** Finished pictures of this and earlier visits. */
import type { JSX } from 'preact';
import { address, run } from '../state/drawing.ts';
import {
  gallery,
  galleryProblem,
  type Kept,
  putBack,
  remove,
  removed,
  urlOf,
} from '../state/gallery.ts';
import { subject } from '../state/recipe.ts';
import { leave, show } from '../state/stage.ts';
import { Notice } from './notice.tsx';

export function Gallery(): JSX.Element {
  const pictures = gallery.value;
  return (
    <section class="gallery" aria-labelledby="gallery-title">
      <div class="gallery-head">
        <h2 id="gallery-title">Gallery</h2>
        <p>
          {pictures.length === 0
            ? 'What you draw is kept here, in this browser alone.'
            : `${pictures.length} ${pictures.length === 1 ? 'picture' : 'pictures'}, in this browser alone`}
        </p>
        {removed.value && (
          <button type="button" class="link" onClick={() => void putBack()}>
            Put {subject(removed.value.recipe)} back
          </button>
        )}
      </div>
      {galleryProblem.value && <Notice problem={galleryProblem.value} />}
      <ul>
        {pictures.map((kept) => (
          <Entry key={kept.id} kept={kept} />
        ))}
      </ul>
    </section>
  );
}

function Entry({ kept }: { kept: Kept }): JSX.Element {
  const { recipe, width, height } = kept;
  const name = subject(recipe);
  const open = async (): Promise<void> => {
    if (!(await show(kept))) return;
    address(recipe);
    scrollTo({ top: 0 });
  };
  const takeOut = async (): Promise<void> => {
    leave(kept);
    await remove(kept);
  };
  return (
    <li>
      <button
        type="button"
        class="print"
        disabled={run.value !== undefined}
        onClick={() => void open()}
      >
        <img
          src={urlOf(kept)}
          alt={`${name}, seed ${recipe.seed}`}
          loading="lazy"
          {...{ width, height }}
        />
      </button>
      <span class="name" title={name}>
        {name}
      </span>
      <button
        type="button"
        class="remove"
        aria-label={`Remove ${name}, seed ${recipe.seed}`}
        onClick={() => void takeOut()}
      >
        ×
      </button>
    </li>
  );
}
