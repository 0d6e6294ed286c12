/** The origin that a source names. */
import { OptionError } from '../../errors.ts';
import type { HubOptions } from './hub-origin.ts';
import { folderOrigin, type Origin } from './origin.ts';
import type { RemoteSource } from './types.ts';

/** @throws OptionError when the source is none. */
export async function originOf(source: RemoteSource, hub: HubOptions = {}): Promise<Origin> {
  if ('url' in source && typeof source.url === 'string') return folderOrigin(source.url);
  if ('hub' in source && typeof source.hub === 'string') {
    // Most pages have their models beside them.
    const { hubOrigin } = await import('./hub-origin.ts');
    return hubOrigin(source, hub);
  }
  throw new OptionError(
    `"source" expected { url }, { hub } or { files }, got { ${Object.keys(source).join(', ')} }`,
  );
}
