/** How far the page is: loading, compiling, drawing. */
import type { JSX } from 'preact';
import { run } from '../state/drawing.ts';
import { perPassText, rateText } from '../state/recipe.ts';
import { loading, stopLoading } from '../state/session.ts';

export function Progress(): JSX.Element | null {
  if (loading.value) return <LoadProgress />;
  if (run.value) return <DrawProgress />;
  return null;
}

function LoadProgress(): JSX.Element {
  const { name, progress, note } = loading.value ?? { name: '' };
  const { phase = 'download', done = 0, total = 0 } = progress ?? {};
  const doing = phase === 'load' ? 'Loading' : 'Fetching';
  const known = total > 0;
  return (
    <div class="progress">
      <Bar label={`${doing} ${name}`} part={known ? done / total : undefined} />
      <p>
        <span>
          {doing} {name}
        </span>
        {known && <span class="figures">{megabytes(done, total)}</span>}
        <button type="button" class="link" onClick={stopLoading}>
          Stop
        </button>
      </p>
      {note && <p class="soft">{note}</p>}
    </div>
  );
}

function DrawProgress(): JSX.Element {
  const { subject = '', total: all = 0, done = 0, rate, perPass } = run.value ?? {};
  const isCompiling = done === 0;
  const isDecoding = done === all;
  const doing = isCompiling ? 'Preparing the GPU' : isDecoding ? 'Developing' : 'Drawing';
  return (
    <div class="progress">
      <Bar label={`Drawing ${subject}`} part={isCompiling ? undefined : done / all} />
      <p>
        <span>{doing}</span>
        {!isCompiling && (
          <span class="figures">
            {done} of {all} tokens
            {rate !== undefined && `, ${rateText(rate)} a second`}
            {perPassText(perPass) && `, ${perPassText(perPass)}`}
          </span>
        )}
      </p>
    </div>
  );
}

/** @param part Undefined while it is unknown. */
function Bar({ label, part }: { label: string; part: number | undefined }): JSX.Element {
  return <progress aria-label={label} max={1} {...(part !== undefined && { value: part })} />;
}

function megabytes(done: number, total: number): string {
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);
  return `${mb(done)} of ${mb(total)} MB`;
}
