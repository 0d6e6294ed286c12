/** What is asked for: the condition, and how it is drawn. */
import { effect, type Signal, signal } from '@preact/signals';
import type { ModelView } from '../../src/web/worker/index.ts';
import type { Pixels } from './pixels.ts';
import { isPossible, SHIPPED_NAME, SHIPPED_ROWS } from './recipe.ts';
import { model, notes } from './session.ts';

/** How tokens are drawn. */
export interface Sampling {
  readonly cfgScale: number;
  readonly cfgInterval: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly greedy: boolean;
}

/** What a picture begins with. */
export type Beginning =
  /** Upper rows of a picture; the rest of it is drawn anew. */
  | { readonly picture: Pixels; readonly keepRows: number }
  /** Tokens of a link or a file. */
  | { readonly tokens: readonly number[] };

export interface Settings extends Sampling {
  /** Of a model of classes. */
  readonly classIndex: number;
  /** Of a model of texts. */
  readonly prompt: string;
  /** How many are drawn at once. */
  readonly count: number;
  /** Undefined: another one each time. */
  readonly seed: number | undefined;
  readonly beginning: Beginning | undefined;
}

/** How many can be drawn at once. */
export const COUNTS = [1, 2, 4, 9, 16] as const;

/** The settings of the last visit. */
const REMEMBERED = 'llamagen-settings';

/** What a new visitor is shown. */
const FIRST_CLASS = 'Strawberry';

const DEFAULTS: Settings = {
  classIndex: MODEL_CLASSES.indexOf(FIRST_CLASS),
  prompt: '',
  count: 1,
  seed: undefined,
  beginning: undefined,
  cfgScale: 2,
  cfgInterval: -1,
  temperature: 1,
  topK: 0,
  topP: 1,
  greedy: false,
};

/** Those of the page's own model, until another one is there: they can be changed before it is. */
export const settings: Signal<Settings> = signal({
  ...DEFAULTS,
  ...remembered({ name: SHIPPED_NAME, classNames: MODEL_CLASSES }),
});

export function change(changed: Partial<Settings>): void {
  settings.value = { ...settings.value, ...changed };
}

/** How the model draws where it is not told otherwise. */
export function ownSampling({ sampling }: ModelView): Sampling {
  const { cfgScale, cfgInterval, temperature, topK, topP } = sampling;
  return { cfgScale, cfgInterval, temperature, topK, topP, greedy: false };
}

/** What a picture of these settings is of, in words. */
export function subjectOf(asked: Pick<Settings, 'classIndex' | 'prompt'>, of: ModelView): string {
  if (of.modelType === 't2i') return asked.prompt.trim();
  return of.classNames[asked.classIndex] || `class ${asked.classIndex}`;
}

/** What settings have to suit. */
const kindOf = ({ name, modelType, classNames, gridSize, sampling, canComplete }: ModelView) =>
  JSON.stringify([name, modelType, classNames, gridSize, sampling, canComplete]);

let last: ModelView | undefined;
// Another model has other classes, and settings that suit it.
effect(() => {
  const view = model.value;
  if (!view) return;
  const before = last;
  last = view;
  if (before && kindOf(view) === kindOf(before)) return;
  const isFirst = before === undefined;
  const { classIndex, count } = settings.peek();
  const first = Math.max(0, view.classNames.indexOf(FIRST_CLASS));
  change({
    ...ownSampling(view),
    beginning: beginningFor(view, before?.gridSize ?? SHIPPED_ROWS),
    classIndex: classIndex >= 0 && classIndex < view.classNames.length ? classIndex : first,
    count,
    ...(isFirst && (view.name === SHIPPED_NAME ? changedSampling() : remembered(view))),
  });
});

/** A picture that was given before the model was there, with as much of it kept; tokens are of one model. */
function beginningFor(view: ModelView, rows: number): Beginning | undefined {
  const { beginning } = settings.peek();
  if (!beginning || !('picture' in beginning)) return undefined;
  if (!view.canComplete) {
    notes.value = [...notes.peek(), cannotComplete(view)];
    return undefined;
  }
  const most = view.gridSize - 1;
  const keepRows = Math.round((beginning.keepRows / rows) * view.gridSize);
  return { ...beginning, keepRows: Math.min(most, Math.max(1, keepRows)) };
}

/** Why a picture cannot be completed. */
export const cannotComplete = ({ name }: ModelView): string =>
  `the model ${name} cannot read pictures: its tokenizer has no encoder`;

/** What differs from how the page begins: of the last visit, or changed before the model was there. */
function changedSampling(): Partial<Sampling> {
  const now = settings.peek();
  const names = ['cfgScale', 'cfgInterval', 'temperature', 'topK', 'topP', 'greedy'] as const;
  const changed = names.filter((name) => now[name] !== DEFAULTS[name]);
  return Object.fromEntries(changed.map((name) => [name, now[name]]));
}

effect(() => {
  const { beginning: _, seed: __, ...kept } = settings.value;
  if (model.value) {
    try {
      localStorage.setItem(REMEMBERED, JSON.stringify({ ...kept, model: model.value.name }));
    } catch {
      // A browser that keeps nothing forgets them.
    }
  }
});

function remembered(view: Pick<ModelView, 'name' | 'classNames'>): Partial<Settings> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(REMEMBERED) ?? 'null');
    if (typeof kept !== 'object' || kept === null) return {};
    const fields = kept as Readonly<Record<string, unknown>>;
    if (fields.model !== view.name) return {};
    const numbers = (['cfgScale', 'cfgInterval', 'temperature', 'topK', 'topP'] as const).flatMap(
      (field) => {
        const value = fields[field];
        return typeof value === 'number' && isPossible(field, value) ? [[field, value]] : [];
      },
    );
    const { classIndex, prompt, count, greedy } = fields;
    return {
      ...Object.fromEntries(numbers),
      ...(typeof prompt === 'string' && { prompt }),
      ...(typeof greedy === 'boolean' && { greedy }),
      ...(COUNTS.some((known) => known === count) && { count: Number(count) }),
      ...(Number.isInteger(classIndex) &&
        Number(classIndex) >= 0 &&
        Number(classIndex) < view.classNames.length && { classIndex: Number(classIndex) }),
    };
  } catch {
    return {};
  }
}
