/** The packages that only servers need: optional peers of this package, imported here and nowhere else. */
import { OptionError } from '../errors.ts';

/** What the API process is made of. */
export async function importServer(): Promise<{
  readonly fastify: typeof import('fastify').fastify;
  readonly sharp: typeof import('sharp');
}> {
  return imported('llamagen serve', ['fastify', 'sharp'], async () => {
    const { fastify } = await import('fastify');
    const { default: sharp } = await import('sharp');
    return { fastify, sharp };
  });
}

/**
 * @param packages All that `load` imports.
 * @throws OptionError that says which of them to install.
 */
async function imported<T>(
  command: string,
  packages: readonly string[],
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if (Object(cause).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    const names = packages.join(' ');
    throw new OptionError(
      `${command} needs packages that are not installed with llamagen-webgpu: run "npm install ${names}" (${String(Object(cause).message).split('\n')[0]})`,
      { cause },
    );
  }
}
