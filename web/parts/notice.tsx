/** Explains in place what went wrong. */
import type { JSX } from 'preact';
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
