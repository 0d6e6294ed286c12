/** What is asked for: the condition, and how it is drawn. */
import { effect, type Signal, signal } from '@preact/signals';
import type { ModelView } from '../../src/web/worker/index.ts';
import { model } from './session.ts';

export interface Settings {
  /** Of a model of classes. */
  readonly classIndex: number;
  /** Of a model of texts. */
  readonly prompt: string;
  /** How many are drawn at once. */
  readonly count: number;
  /** Undefined: another one each time. */
  readonly seed: number | undefined;
  readonly cfgScale: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
}

/** How many can be drawn at once. */
export const COUNTS = [1, 2, 4, 9, 16] as const;

export const settings: Signal<Settings> = signal({
  classIndex: 0,
  prompt: '',
  count: 1,
  seed: undefined,
  cfgScale: 2,
  temperature: 1,
  topK: 0,
  topP: 1,
});

export function change(changed: Partial<Settings>): void {
  settings.value = { ...settings.value, ...changed };
}

/** How the model draws where it is not told otherwise. */
export function ownSampling({ sampling }: ModelView): Partial<Settings> {
  const { cfgScale, temperature, topK, topP } = sampling;
  return { cfgScale, temperature, topK, topP };
}

/** What a picture of these settings is of, in words. */
export function subjectOf(asked: Pick<Settings, 'classIndex' | 'prompt'>, of: ModelView): string {
  if (of.modelType === 't2i') return asked.prompt;
  return of.classNames[asked.classIndex] || `class ${asked.classIndex}`;
}

let last: ModelView | undefined;
// Another model has other classes, and settings that suit it.
effect(() => {
  const view = model.value;
  if (!view || view === last) return;
  const isFirst = last === undefined;
  last = view;
  const { classIndex } = settings.peek();
  const start = isFirst ? Math.max(0, view.classNames.indexOf('Strawberry')) : classIndex;
  change({
    ...ownSampling(view),
    classIndex: start < view.classNames.length ? start : 0,
  });
});
