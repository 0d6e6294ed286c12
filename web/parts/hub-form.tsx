/** Fetches a model by its name, after saying what it takes. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ModelSource } from '../../src/web/worker/index.ts';
import { announce } from '../state/announce.ts';
import { type Problem, problemOf } from '../state/problem.ts';
import { recallWaiting } from '../state/recall.ts';
import { load, loading } from '../state/session.ts';
import { type Estimate, estimate, size, sourceOf } from '../state/store.ts';
import { Notice } from './notice.tsx';

export function HubForm(): JSX.Element {
  const [name, setName] = useState('');
  const [found, setFound] = useState<{ model: Estimate; source: ModelSource }>();
  const [problem, setProblem] = useState<Problem>();
  const [isLooking, setLooking] = useState(false);
  const look = async (event: Event): Promise<void> => {
    event.preventDefault();
    setFound(undefined);
    setProblem(undefined);
    setLooking(true);
    try {
      const source = sourceOf(name);
      const model = await estimate(source);
      setFound({ model, source });
      announce(`${model.name}: ${size(model.bytes)} to fetch`);
    } catch (error) {
      setProblem(problemOf(error, 'model'));
    } finally {
      setLooking(false);
    }
  };
  const fetchIt = async (source: ModelSource): Promise<void> => {
    setFound(undefined);
    await load(source);
    await recallWaiting();
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
              setFound(undefined);
            }}
          />
        </label>
        <button type="submit" disabled={isLooking || loading.value !== undefined}>
          {isLooking ? 'Looking' : 'Look'}
        </button>
      </form>
      {problem && <Notice problem={problem} />}
      {found && <Found model={found.model} onFetch={() => void fetchIt(found.source)} />}
    </>
  );
}

/** What a model takes, before anything of it is fetched. */
function Found({ model, onFetch }: { model: Estimate; onFetch(): void }): JSX.Element {
  const { name, modelType, pixels, bytes, gpuBytes, problem } = model;
  const draws = modelType === 't2i' ? 'texts' : 'classes';
  return (
    <div class="found">
      <p>
        <strong>{name}</strong> draws {draws}, {pixels} × {pixels} pixels.
      </p>
      <p class="figures">
        {size(bytes)} to fetch, {size(gpuBytes)} of GPU memory.
      </p>
      <p>
        {problem ? `This device cannot hold it: ${problem}.` : 'Nothing speaks against it here.'}
      </p>
      <button type="button" onClick={onFetch}>
        Fetch {size(bytes)}
        {problem && ' all the same'}
      </button>
    </div>
  );
}
