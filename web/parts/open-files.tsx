/** A button that opens files, where nothing can be dropped: by keyboard, and on phones. */
import type { JSX } from 'preact';
import { takeFiles } from '../state/files.ts';

interface OpenFilesProps {
  readonly label: string;
  readonly accept: string;
  readonly multiple?: boolean;
}

export function OpenFiles({ label, accept, multiple = false }: OpenFilesProps): JSX.Element {
  return (
    <label class="button file">
      <input
        type="file"
        class="unseen"
        {...{ accept, multiple }}
        onChange={({ currentTarget }) => {
          const files = [...(currentTarget.files ?? [])];
          // The same file can be opened again.
          currentTarget.value = '';
          void takeFiles(files);
        }}
      />
      {label}
    </label>
  );
}
