/** The origin that a source names. */
import { OptionError } from '../../errors.ts';
import { type HubOptions, hubOrigin } from './hub-origin.ts';
import { folderOrigin, type Origin } from './origin.ts';
import type { ModelSource } from './types.ts';

/** @throws OptionError when the source is none. */
export async function originOf(source: ModelSource, hub: HubOptions = {}): Promise<Origin> {
  if ('url' in source && typeof source.url === 'string') return folderOrigin(source.url);
  if ('hub' in source && typeof source.hub === 'string') return hubOrigin(source, hub);
  throw new OptionError(
    `"source" expected { url }, { hub } or { files }, got { ${Object.keys(source).join(', ')} }`,
  );
}
