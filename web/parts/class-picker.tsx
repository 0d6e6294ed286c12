/** One class of those that the model knows: by its picture where there are pictures, else by name. */
import type { JSX, RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { model } from '../state/session.ts';
import { change, settings } from '../state/settings.ts';

/** The model whose classes were drawn for this page. */
const PICTURED = 'fruits-96';

export function ClassPicker(): JSX.Element {
  const view = model.value;
  if (view && view.name !== PICTURED) return <NameField names={view.classNames} />;
  const names = view?.classNames ?? MODEL_CLASSES;
  const { classIndex } = settings.value;
  const strip = useRef<HTMLDivElement>(null);
  useChosenInView(strip, `${view?.name} ${classIndex}`);
  return (
    <fieldset class="classes">
      <legend>{names[classIndex] || `class ${classIndex}`}</legend>
      <div class="swatches" ref={strip}>
        {names.map((name, i) => (
          <label key={i} title={name}>
            <input
              type="radio"
              name="class"
              aria-label={name || `class ${i}`}
              checked={i === classIndex}
              onChange={() => change({ classIndex: i })}
            />
            <span class="swatch" style={{ '--x': i % 8, '--y': Math.floor(i / 8) }} />
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** On small screens the pictures are a strip, which goes to the chosen one where that is out of sight. */
function useChosenInView(strip: RefObject<HTMLDivElement | null>, chosen: string): void {
  useEffect(() => {
    const { current } = strip;
    const label = current?.querySelector('input:checked')?.parentElement;
    if (!current || !label) return;
    const [view, own] = [current.getBoundingClientRect(), label.getBoundingClientRect()];
    if (own.left >= view.left && own.right <= view.right) return;
    current.scrollLeft += own.left - view.left - (view.width - own.width) / 2;
  }, [chosen]);
}

/** Accepts a name of the list, or the number of a class. */
function NameField({ names }: { names: readonly string[] }): JSX.Element {
  const [text, setText] = useState<string>();
  const { classIndex } = settings.value;
  const take = (value: string): void => {
    setText(value);
    const lower = value.trim().toLowerCase();
    const named = names.findIndex((name) => name.toLowerCase() === lower);
    const index = named >= 0 ? named : /^\d+$/.test(lower) ? Number(lower) : -1;
    if (index >= 0 && index < names.length) change({ classIndex: index });
  };
  return (
    <label class="field">
      <span>Class</span>
      <input
        list="class-names"
        value={text ?? names[classIndex] ?? `${classIndex}`}
        onInput={({ currentTarget }) => take(currentTarget.value)}
        onBlur={() => setText(undefined)}
      />
      <datalist id="class-names">
        {names.map((name, i) => (
          <option key={i} value={name || `${i}`} />
        ))}
      </datalist>
    </label>
  );
}
