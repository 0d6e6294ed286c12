/** Explains in place what went wrong. */
import type { JSX } from 'preact';
import type { Note } from '../state/offer.ts';
import type { Problem } from '../state/problem.ts';

export function Notice({ problem }: { problem: Problem }): JSX.Element {
  const { title, text, retry } = problem;
  return (
    <div class="notice" role="alert">
      <h2>{title}</h2>
      <p>{text}</p>
      {retry && (
        <button type="button" onClick={() => retry()}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What is to know, and no problem. */
export function Remark({ note }: { note: Note }): JSX.Element {
  const { text, action } = note;
  return (
    <div class="remark">
      <p>{text}</p>
      {action && (
        <button type="button" class="link" onClick={() => action.run()}>
          {action.label}
        </button>
      )}
    </div>
  );
}
