/** What screen readers are told: little, and only what changed. */
import { type ReadonlySignal, signal } from '@preact/signals';

const said = signal('');

/** The text of the one polite status line. */
export const announcement: ReadonlySignal<string> = said;

export function announce(text: string): void {
  said.value = text;
}
