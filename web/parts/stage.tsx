/** The picture under way, or the one that is looked at. */
import type { JSX } from 'preact';
import { drawProblem, run, type Tile, tiles } from '../state/drawing.ts';
import { loading, model, problem } from '../state/session.ts';
import { settings, subjectOf } from '../state/settings.ts';
import { Notice } from './notice.tsx';
import { Picture } from './picture.tsx';
import { Progress } from './progress.tsx';

export function Stage(): JSX.Element {
  const view = model.value;
  const columns = Math.ceil(Math.sqrt(tiles.value.length || 1));
  const size = view?.imageSize ?? 96;
  const grid = view?.gridSize ?? 12;
  return (
    <section class="stage" aria-label="Picture">
      <div
        class="tiles"
        aria-busy={run.value !== undefined}
        style={{ '--columns': columns, '--pixels': size, '--cells': grid }}
      >
        {tiles.value.length > 0 ? (
          tiles.value.map((tile) => <StageTile key={tile.seed} tile={tile} />)
        ) : (
          <div class="tile empty">
            <p>{emptyText()}</p>
          </div>
        )}
      </div>
      <Progress />
      {problem.value && <Notice problem={problem.value} />}
      {drawProblem.value && <Notice problem={drawProblem.value} />}
    </section>
  );
}

function emptyText(): string {
  if (problem.value) return '';
  if (loading.value || !model.value) return 'Getting ready';
  return 'Choose, then draw';
}

function StageTile({ tile }: { tile: Tile }): JSX.Element {
  const view = model.value;
  const subject = run.value?.subject ?? (view ? subjectOf(settings.value, view) : '');
  const { before, now, state, seed } = tile;
  const label = state === 'done' ? `${subject}, seed ${seed}` : `${subject}, not finished`;
  return (
    <div class={`tile ${state}`}>
      {before && <Picture pixels={before} class="before" />}
      {now && <Picture pixels={now} class="now" label={label} />}
    </div>
  );
}
