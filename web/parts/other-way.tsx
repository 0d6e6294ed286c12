/** From the shipped model of classes to that of prompts, and back. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type Note, offer } from '../state/offer.ts';
import { problemOf } from '../state/problem.ts';
import { SHIPPED_NAME, SHIPPED_TEXT_NAME } from '../state/recipe.ts';
import { model, problem, SHIPPED } from '../state/session.ts';
import { Remark } from './notice.tsx';

const OTHERS = new Map([
  [SHIPPED_NAME, { name: SHIPPED_TEXT_NAME, label: 'Say it in words instead' }],
  [SHIPPED_TEXT_NAME, { name: SHIPPED_NAME, label: 'Choose from fruits instead' }],
]);

export function OtherWay(): JSX.Element | null {
  const [note, setNote] = useState<Note>();
  const other = OTHERS.get(model.value?.name ?? '');
  const source = SHIPPED.get(other?.name ?? '');
  if (!other || !source) return null;
  const open = async (): Promise<void> => {
    try {
      await offer(source, other.name, setNote);
    } catch (error) {
      problem.value = problemOf(error, 'model');
    }
  };
  return (
    <div class="other-way">
      <button type="button" class="link" onClick={() => void open()}>
        {other.label}
      </button>
      {note && <Remark note={note} />}
    </div>
  );
}
