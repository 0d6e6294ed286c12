/** The pictures under way, or those that are looked at. */
import type { JSX } from 'preact';
import { awaitsModel, drawProblem, run } from '../state/drawing.ts';
import { fileProblem } from '../state/files.ts';
import { sentence } from '../state/problem.ts';
import { recallNote } from '../state/recall.ts';
import { SHIPPED_ROWS, subject } from '../state/recipe.ts';
import { loading, model, notes, problem } from '../state/session.ts';
import { select, selected, type Tile, tiles } from '../state/stage.ts';
import { Caption } from './caption.tsx';
import { Notice, Remark } from './notice.tsx';
import { Picture } from './picture.tsx';
import { Progress } from './progress.tsx';

export function Stage(): JSX.Element {
  const view = model.value;
  const all = tiles.value;
  const pixels = all.find(({ now }) => now)?.now?.width ?? view?.imageSize ?? 96;
  const style = {
    '--columns': Math.ceil(Math.sqrt(all.length || 1)),
    '--pixels': pixels,
    '--cells': view?.gridSize ?? SHIPPED_ROWS,
  };
  const problems = [problem.value, drawProblem.value, fileProblem.value];
  return (
    <section class="stage" aria-label="Picture" aria-busy={run.value !== undefined} style={style}>
      <div class="tiles">
        {all.length === 0 && (
          <div class="tile empty">
            <p>{emptyText()}</p>
          </div>
        )}
        {all.length === 1 && all[0] && <SingleTile tile={all[0]} />}
        {all.length > 1 && all.map((tile, i) => <OneOfTiles key={tile.id} {...{ tile, i }} />)}
      </div>
      <Progress />
      <Caption />
      {notes.value.map((note) => (
        <Remark key={note} note={{ text: sentence(note) }} />
      ))}
      {recallNote.value && <Remark note={recallNote.value} />}
      {problems.map((found) => found && <Notice key={found.title} problem={found} />)}
    </section>
  );
}

function emptyText(): string {
  if (problem.value) return 'Nothing to see yet';
  if (awaitsModel.value) return 'Drawing begins once the model is there';
  if (loading.value || !model.value) return 'Getting ready';
  return 'Choose, then draw';
}

function SingleTile({ tile }: { tile: Tile }): JSX.Element {
  return (
    <div class={`tile ${tile.state}`}>
      <TilePicture tile={tile} />
    </div>
  );
}

/** Of several, one is looked at. */
function OneOfTiles({ tile, i }: { tile: Tile; i: number }): JSX.Element {
  return (
    <button
      type="button"
      class={`tile ${tile.state}`}
      aria-pressed={selected.value === i}
      onClick={() => select(i)}
    >
      <TilePicture tile={tile} />
    </button>
  );
}

function TilePicture({ tile }: { tile: Tile }): JSX.Element {
  const { before, now, state, recipe } = tile;
  const name = `${subject(recipe)}, seed ${recipe.seed}`;
  return (
    <>
      {before && <Picture pixels={before} class="before" />}
      {now ? (
        <Picture pixels={now} class="now" label={state === 'done' ? name : `${name}, unfinished`} />
      ) : (
        <span class="unseen">{name}, not begun</span>
      )}
    </>
  );
}
