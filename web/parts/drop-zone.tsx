/** Files can be dropped, and pictures pasted, anywhere on the page. */
import { type Signal, signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { takeFiles } from '../state/files.ts';

const over: Signal<boolean> = signal(false);

export function DropZone(): JSX.Element | null {
  useEffect(listen, []);
  if (!over.value) return null;
  return (
    <div class="drop" aria-hidden="true">
      <p>
        Drop a picture to complete it, one of this page to make it again, or the files of a model
      </p>
    </div>
  );
}

function listen(): () => void {
  const ended = new AbortController();
  const { signal: until } = ended;
  const on = <Name extends keyof WindowEventMap>(
    name: Name,
    listener: (event: WindowEventMap[Name]) => void,
  ): void => addEventListener(name, listener, { signal: until });
  const hasFiles = ({ dataTransfer }: DragEvent): boolean =>
    dataTransfer?.types.includes('Files') ?? false;
  on('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over.value = true;
  });
  on('dragleave', (event) => {
    // It is left for another element again and again; for none when it leaves the page.
    if (event.relatedTarget === null) over.value = false;
  });
  on('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over.value = false;
    void takeFiles([...(event.dataTransfer?.files ?? [])]);
  });
  on('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) void takeFiles(files);
  });
  return () => ended.abort();
}
