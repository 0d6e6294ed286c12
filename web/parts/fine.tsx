/** Settings that are rarely changed. */
import type { JSX } from 'preact';
import { model } from '../state/session.ts';
import { change, ownSampling, type Settings, settings } from '../state/settings.ts';

interface NumberProps {
  readonly name: 'cfgScale' | 'temperature' | 'topK' | 'topP';
  readonly label: string;
  readonly hint: string;
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
      {view && (
        <button type="button" class="link" onClick={() => change(ownSampling(view))}>
          As the model prefers
        </button>
      )}
    </details>
  );
}

function NumberField({ name, label, hint, max, step }: NumberProps): JSX.Element {
  const set = (text: string): void => {
    const value = Number(text);
    if (text.trim() !== '' && value >= 0 && value <= max) {
      change({ [name]: value } satisfies Partial<Settings>);
    }
  };
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="number"
        inputMode="decimal"
        {...{ min: 0, max, step }}
        value={settings.value[name]}
        aria-describedby={`${name}-hint`}
        onInput={({ currentTarget }) => set(currentTarget.value)}
      />
      <small id={`${name}-hint`}>{hint}</small>
    </label>
  );
}

function SeedField(): JSX.Element {
  const { seed } = settings.value;
  const set = (text: string): void => {
    const value = Number(text);
    if (text.trim() === '') change({ seed: undefined });
    else if (Number.isSafeInteger(value) && value >= 0) change({ seed: value });
  };
  return (
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
      <small id="seed-hint">The same seed and settings give the same picture.</small>
    </label>
  );
}
