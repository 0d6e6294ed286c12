/** Settings that are rarely changed. */
import type { JSX } from 'preact';
import { model } from '../state/session.ts';
import { change, ownSampling, type Settings, settings } from '../state/settings.ts';

interface NumberProps {
  readonly name: 'cfgScale' | 'cfgInterval' | 'temperature' | 'topK' | 'topP';
  readonly label: string;
  readonly hint: string;
  readonly min?: number;
  readonly max: number;
  readonly step: number;
}

const NUMBERS: readonly NumberProps[] = [
  {
    ...{ name: 'cfgScale', label: 'Guidance', max: 20, step: 0.1 },
    hint: 'How strictly it keeps to what was asked; 1 is free, and twice as fast.',
  },
  {
    ...{ name: 'temperature', label: 'Temperature', max: 5, step: 0.05 },
    hint: 'Below 1 calmer, above 1 wilder.',
  },
  {
    ...{ name: 'topK', label: 'Top-k', max: 65536, step: 1 },
    hint: 'Draw from the k likeliest tokens; 0 from all.',
  },
  {
    ...{ name: 'topP', label: 'Top-p', max: 1, step: 0.01 },
    hint: 'Draw from the likeliest, up to this share; 1 from all.',
  },
  {
    ...{ name: 'cfgInterval', label: 'Guided tokens', min: -1, max: 65536, step: 1 },
    hint: 'Guidance ends after this token; -1 never.',
  },
];

export function Fine(): JSX.Element {
  const view = model.value;
  return (
    <details class="fold">
      <summary>Settings</summary>
      <div class="numbers">
        <SeedField />
        {NUMBERS.map((props) => (
          <NumberField key={props.name} {...props} />
        ))}
      </div>
      <label class="check">
        <input
          type="checkbox"
          checked={settings.value.greedy}
          onChange={({ currentTarget }) => change({ greedy: currentTarget.checked })}
        />
        Always the likeliest token, whatever the seed
      </label>
      {view && (
        <button type="button" class="link" onClick={() => change(ownSampling(view))}>
          As the model prefers
        </button>
      )}
    </details>
  );
}

function NumberField({ name, label, hint, min = 0, max, step }: NumberProps): JSX.Element {
  const set = (text: string): void => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) {
      change({ [name]: value } satisfies Partial<Settings>);
    }
  };
  return (
    <div class="hinted">
      <label class="field">
        <span>{label}</span>
        <input
          type="number"
          inputMode="decimal"
          {...{ min, max, step: stepOf(settings.value[name], step) }}
          value={settings.value[name]}
          aria-describedby={`${name}-hint`}
          onInput={({ currentTarget }) => set(currentTarget.value)}
        />
      </label>
      <small id={`${name}-hint`}>{hint}</small>
    </div>
  );
}

/** Of a field that takes any number: a browser refuses what is no multiple of its step, and so the whole form. */
const stepOf = (value: number, step: number): number | 'any' =>
  step < 1 && Math.abs(value / step - Math.round(value / step)) > 1e-9 ? 'any' : step;

function SeedField(): JSX.Element {
  const { seed } = settings.value;
  const set = (text: string): void => {
    const value = Number(text);
    if (text.trim() === '') change({ seed: undefined });
    else if (Number.isSafeInteger(value) && value >= 0) change({ seed: value });
  };
  return (
    <div class="hinted">
      <label class="field">
        <span>Seed</span>
        <input
          type="number"
          inputMode="numeric"
          {...{ min: 0, step: 1 }}
          placeholder="another each time"
          value={seed ?? ''}
          aria-describedby="seed-hint"
          onInput={({ currentTarget }) => set(currentTarget.value)}
        />
      </label>
      <small id="seed-hint">The same seed and settings give the same picture.</small>
    </div>
  );
}
