/** Keys of clients. They are kept as digests, and compared in a time that does not tell how much is right. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { OptionError } from '../errors.ts';
import { fileProblem } from '../node/file-problem.ts';

/** Shortest key that is taken: it cannot be tried out. */
const MIN_LENGTH = 16;

export class ApiKeys {
  readonly #digests: readonly Buffer[];

  constructor(keys: Iterable<string>) {
    this.#digests = [...new Set(keys)].map(digestOf);
  }

  get size(): number {
    return this.#digests.length;
  }

  /**
   * Who has a key: a name for it that does not give it away; undefined for one that is none.
   * Digests of all keys are compared, whatever is found.
   */
  clientOf(key: string): string | undefined {
    const digest = digestOf(key);
    let found: number | undefined;
    for (const [i, each] of this.#digests.entries()) {
      if (timingSafeEqual(each, digest)) found = i;
    }
    return found === undefined ? undefined : `key${found + 1}`;
  }
}

const digestOf = (key: string): Buffer => createHash('sha256').update(key, 'utf8').digest();

/**
 * Reads keys from a file, one a line; empty lines and those that begin with # say nothing.
 * @throws OptionError when it cannot be read, has no key, or one that is too short or has blanks in it.
 */
export function readApiKeys(path: string): ApiKeys {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new OptionError(`--api-key-file: ${path} cannot be read: ${fileProblem(cause)}`, {
      cause,
    });
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  for (const [i, line] of lines.entries()) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.length < MIN_LENGTH || !/^[\x21-\x7e]+$/.test(line)) {
      throw new OptionError(
        `--api-key-file: line ${i + 1} of ${path} is no key: one a line, of ${MIN_LENGTH} or more visible characters of ASCII; "openssl rand -hex 32" makes one`,
      );
    }
  }
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) throw new OptionError(`--api-key-file: ${path} has no key`);
  return new ApiKeys(keys);
}
