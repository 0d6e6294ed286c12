/** Which model draws, and others that could. */
import type { JSX } from 'preact';

import { MODEL_FILES } from '../state/files.ts';

import { load, model, notes } from '../state/session.ts';
import { forget, look, models, size, store } from '../state/store.ts';
import { HubForm } from './hub-form.tsx';
import { OpenFiles } from './open-files.tsx';

export function ModelFold(): JSX.Element {
  const view = model.value;
  return (
    <details class="fold" onToggle={({ currentTarget }) => currentTarget.open && void look()}>
      <summary>Model {view && <span class="soft">{view.name}</span>}</summary>
      <div class="models">
        {view?.description && <p>{view.description}.</p>}
        {notes.value.map((note) => (
          <p key={note} class="soft">
            {note}
          </p>
        ))}
        <Stored />
        <HubForm />
        <OpenFiles label="Open files of a model" accept={MODEL_FILES.join(',')} multiple />
        <p class="soft">
          Official checkpoints (.pt, .safetensors) or a model folder: decoder and tokenizer
          together. They are read here and sent nowhere.
        </p>
      </div>
    </details>
  );
}

function Stored(): JSX.Element | null {
  const { kind, note } = store.value ?? {};
  if (!kind) return null;
  return (
    <>
      {note && <p>{note}</p>}
      <ul class="stored">
        {models.value.map((kept) => (
          <li key={kept.id}>
            <span>
              {kept.name}{' '}
              <span class="soft figures">
                {kept.storedBytes < kept.bytes && `${size(kept.storedBytes)} of `}
                {size(kept.bytes)}
              </span>
            </span>
            {kept.name !== model.value?.name && (
              <button type="button" class="link" onClick={() => void load(kept.source)}>
                Load<span class="unseen"> {kept.name}</span>
              </button>
            )}
            <button type="button" class="link" onClick={() => void forget(kept)}>
              Remove<span class="unseen"> {kept.name} from this browser</span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
