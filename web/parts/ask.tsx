/** What to draw. */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { awaitsModel, cutPrompt, draw, lacksPrompt, run, stop } from '../state/drawing.ts';
import { SHIPPED_TEXT_NAME } from '../state/recipe.ts';
import { hasOrAwaitsModel, model } from '../state/session.ts';
import { COUNTS, change, settings } from '../state/settings.ts';
import { Beginning } from './beginning.tsx';
import { ClassPicker } from './class-picker.tsx';
import { Fine } from './fine.tsx';
import { OtherWay } from './other-way.tsx';

/** What the shipped model of prompts was made for. */
const EXAMPLE = 'a cat to the left of a slice of pizza on a blue ground';

export function Ask(): JSX.Element {
  const view = model.value;
  const isAsked = run.value !== undefined || awaitsModel.value;
  const submit = (event: Event): void => {
    event.preventDefault();
    if (isAsked) stop();
    else void draw();
  };
  return (
    <form class="ask" aria-label="What to draw" onSubmit={submit}>
      {view?.modelType === 't2i' ? <PromptField /> : <ClassPicker />}
      <div class="go">
        <Count />
        <button
          type="submit"
          class="primary"
          disabled={!hasOrAwaitsModel.value}
          formNoValidate={isAsked}
        >
          {awaitsModel.value ? 'Do not draw' : run.value ? 'Stop' : 'Draw'}
        </button>
      </div>
      <OtherWay />
      <FixedSeed />
      <Beginning />
      <Fine />
    </form>
  );
}

function PromptField(): JSX.Element {
  const { prompt } = settings.value;
  const view = model.value;
  const isMissing = lacksPrompt.value && prompt.trim() === '';
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (isMissing) field.current?.focus();
  }, [isMissing]);
  return (
    <label class="field prompt">
      <span>What to draw</span>
      <textarea
        ref={field}
        rows={3}
        placeholder={view?.name === SHIPPED_TEXT_NAME ? EXAMPLE : undefined}
        aria-required="true"
        aria-invalid={isMissing}
        value={prompt}
        onInput={({ currentTarget }) => change({ prompt: currentTarget.value })}
      />
      {isMissing && <small role="alert">Say what to draw, in a few words.</small>}
      {cutPrompt.value && <small>There was no room for the end: “{cutPrompt.value}”</small>}
    </label>
  );
}

function Count(): JSX.Element {
  return (
    <fieldset class="count">
      <legend>How many</legend>
      <div>
        {COUNTS.map((count) => (
          <label key={count}>
            <input
              type="radio"
              name="count"
              value={count}
              checked={settings.value.count === count}
              onChange={() => change({ count })}
            />
            <span class="choice">{count}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** Without this line a fixed seed would look like a page that draws the same picture forever. */
function FixedSeed(): JSX.Element | null {
  const { seed } = settings.value;
  if (seed === undefined) return null;
  return (
    <p class="fixed figures">
      Seed {seed} is fixed: the same settings give the same picture.{' '}
      <button type="button" class="link" onClick={() => change({ seed: undefined })}>
        Another each time
      </button>
    </p>
  );
}
