/** Fetches a model by its name. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { recallWaiting } from '../state/recall.ts';
import { load, loading } from '../state/session.ts';
import { sourceOf } from '../state/store.ts';

export function HubForm(): JSX.Element {
  const [name, setName] = useState('');
  const submit = (event: Event): void => {
    event.preventDefault();
    void load(sourceOf(name)).then(recallWaiting);
  };
  return (
    <form class="hub" onSubmit={submit}>
      <label class="field">
        <span>Hub name or address</span>
        <input
          required
          autocapitalize="none"
          autocomplete="off"
          spellcheck={false}
          placeholder="c2i-B-256"
          value={name}
          onInput={({ currentTarget }) => setName(currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={loading.value !== undefined}>
        Load
      </button>
    </form>
  );
}
