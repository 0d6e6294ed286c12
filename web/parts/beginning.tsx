/** A picture that the next one begins with. */
import type { JSX } from 'preact';
import { SHIPPED_ROWS } from '../state/recipe.ts';
import { model } from '../state/session.ts';
import { type Beginning as Begins, change, settings } from '../state/settings.ts';
import { OpenFiles } from './open-files.tsx';
import { Picture } from './picture.tsx';

export function Beginning(): JSX.Element | null {
  const { beginning } = settings.value;
  const view = model.value;
  if (!beginning) {
    if (!view?.canComplete) return null;
    return (
      <div class="open">
        <OpenFiles label="Begin with a picture of yours" accept="image/*" />
        <p>or drop one anywhere; its upper rows are kept and the rest is drawn.</p>
      </div>
    );
  }
  return (
    <div class="beginning">
      {'picture' in beginning ? (
        <Rows beginning={beginning} rows={view?.gridSize ?? SHIPPED_ROWS} />
      ) : (
        <p>Begins with {beginning.tokens.length} tokens of the picture it was made from.</p>
      )}
      <button type="button" class="link" onClick={() => change({ beginning: undefined })}>
        Begin with nothing
      </button>
    </div>
  );
}

type OfPicture = Extract<Begins, { readonly picture: unknown }>;

function Rows({ beginning, rows }: { beginning: OfPicture; rows: number }): JSX.Element {
  const { picture, keepRows } = beginning;
  return (
    <>
      <div class="given" style={{ '--kept': keepRows / rows }}>
        <Picture pixels={picture} label="The picture that is completed" />
      </div>
      <label class="field">
        <span>
          Keep {keepRows} of {rows} rows
        </span>
        <input
          type="range"
          {...{ min: 1, max: rows - 1, step: 1 }}
          value={keepRows}
          onInput={({ currentTarget }) =>
            change({ beginning: { picture, keepRows: Number(currentTarget.value) } })
          }
        />
      </label>
    </>
  );
}
