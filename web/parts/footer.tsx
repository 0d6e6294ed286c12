/** What the page computes on. */
import type { JSX } from 'preact';
import { adapter, model } from '../state/session.ts';

export function Footer(): JSX.Element {
  const { description, software, notes = [] } = adapter.value ?? {};
  return (
    <footer class="footer">
      {description && (
        <p>
          Draws on {description}
          {software && ', a CPU in the place of a GPU: slow, and as exact'}. Nothing leaves this
          device.
        </p>
      )}
      {model.value && (
        <p>
          Model {model.value.name}, {model.value.license}. Fingerprint{' '}
          <code>{model.value.fingerprint.digest}</code>
        </p>
      )}
      {notes.map((note) => (
        <p key={note}>{note}</p>
      ))}
    </footer>
  );
}
