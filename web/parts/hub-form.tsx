/** Fetches a model by its name, after saying what it takes. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type Note, offer } from '../state/offer.ts';
import { type Problem, problemOf } from '../state/problem.ts';
import { loading } from '../state/session.ts';
import { sourceOf } from '../state/store.ts';
import { Notice, Remark } from './notice.tsx';

export function HubForm(): JSX.Element {
  const [name, setName] = useState('');
  const [note, setNote] = useState<Note>();
  const [problem, setProblem] = useState<Problem>();
  const [isLooking, setLooking] = useState(false);
  const look = async (event: Event): Promise<void> => {
    event.preventDefault();
    setProblem(undefined);
    setLooking(true);
    try {
      await offer(sourceOf(name), name.trim(), setNote);
    } catch (error) {
      setProblem(problemOf(error, 'model'));
    } finally {
      setLooking(false);
    }
  };
  return (
    <>
      <form class="hub" onSubmit={(event) => void look(event)}>
        <label class="field">
          <span>Model of the hub, or address</span>
          <input
            required
            autocapitalize="none"
            autocomplete="off"
            spellcheck={false}
            placeholder="c2i-B-256"
            value={name}
            onInput={({ currentTarget }) => {
              setName(currentTarget.value);
              // What was found is not what is named now.
              setNote(undefined);
            }}
          />
        </label>
        <button type="submit" disabled={isLooking || loading.value !== undefined}>
          {isLooking ? 'Looking' : 'Look'}
        </button>
      </form>
      {problem && <Notice problem={problem} />}
      {note && <Remark note={note} />}
    </>
  );
}
