/** Which model draws, and others that could. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { StoredModel } from '../../src/web/worker/index.ts';
import { MODEL_FILES } from '../state/files.ts';
import { type Note, offer } from '../state/offer.ts';
import { problemOf } from '../state/problem.ts';
import { isSamePlace } from '../state/recipe.ts';
import { model } from '../state/session.ts';
import { forget, look, models, size, storeProblem } from '../state/store.ts';
import { HubForm } from './hub-form.tsx';
import { Notice, Remark } from './notice.tsx';
import { OpenFiles } from './open-files.tsx';

export function ModelFold(): JSX.Element {
  const view = model.value;
  return (
    <details class="fold" onToggle={({ currentTarget }) => currentTarget.open && void look()}>
      <summary>Model {view && <span class="soft">{view.name}</span>}</summary>
      <div class="models">
        {view?.description && <p>{view.description}.</p>}
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

function Stored(): JSX.Element {
  const [note, setNote] = useState<Note>();
  const { source: current } = model.value ?? {};
  const open = async ({ name, source }: StoredModel): Promise<void> => {
    try {
      await offer(source, name, setNote);
    } catch (error) {
      storeProblem.value = problemOf(error, 'model');
    }
  };
  return (
    <>
      {storeProblem.value && <Notice problem={storeProblem.value} />}
      {note && <Remark note={note} />}
      <ul class="stored">
        {models.value?.map((kept) => (
          <li key={kept.id}>
            <span>
              {kept.name}{' '}
              <span class="soft figures">
                {kept.storedBytes < kept.bytes && `${size(kept.storedBytes)} of `}
                {size(kept.bytes)}
              </span>
            </span>
            {!(current && isSamePlace(kept.source, current)) && (
              <button type="button" class="link" onClick={() => void open(kept)}>
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
