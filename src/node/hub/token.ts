/** The token that says to the hub who the user is, from where the hub's own tools put it. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { OptionError } from '../../errors.ts';
import type { Environment } from '../environment.ts';
import { fileProblem } from '../file-problem.ts';

export interface HubToken {
  readonly token: string;
  /** The variable or file it is from, for messages. */
  readonly tokenFrom: string;
}

/** As older versions of the official client call `HF_TOKEN`. */
const OLD_NAME = 'HUGGING_FACE_HUB_TOKEN';

/**
 * The token of `HF_TOKEN`, else that of the login: the file `HF_TOKEN_PATH`, else `token` in
 * `HF_HOME`, else in `huggingface` among the user's caches.
 * @throws OptionError when there is something else than a token.
 */
export function findToken(env: Environment): HubToken | undefined {
  const name = env.HF_TOKEN ? 'HF_TOKEN' : OLD_NAME;
  const given = env[name]?.trim();
  if (given) {
    if (isWord(given)) return { token: given, tokenFrom: name };
    throw new OptionError(`${name} expected one word of plain letters and signs: copy it again`);
  }
  const path = tokenPath(env);
  const token = readToken(path);
  if (!token) return undefined;
  if (isWord(token)) return { token, tokenFrom: path };
  throw new OptionError(
    `${path} expected a token, one word of plain letters and signs: ${OTHERWISE}`,
  );
}

const OTHERWISE =
  'log in again (hf auth login), set HF_TOKEN, or set HF_HUB_DISABLE_IMPLICIT_TOKEN=1 to use none';

function tokenPath(env: Environment): string {
  if (env.HF_TOKEN_PATH) return expandHome(env.HF_TOKEN_PATH, env);
  if (env.HF_HOME) return join(expandHome(env.HF_HOME, env), 'token');
  return join(userCaches(env), 'huggingface', 'token');
}

/** The text of a file without the spaces around it; undefined when there is no file. */
function readToken(path: string): string | undefined {
  try {
    // Spaces include the mark that some editors put first (U+FEFF).
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : '';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    const why = fileProblem(cause);
    throw new OptionError(`the token in ${path} cannot be read: ${why}: ${OTHERWISE}`, { cause });
  }
}

const isWord = (text: string): boolean => /^[\x21-\x7e]+$/.test(text);

/** Where a user's programs keep what can be fetched again. */
export function userCaches(env: Environment): string {
  return env.XDG_CACHE_HOME || join(home(env), '.cache');
}

/** A path that begins with `~`, as variables set outside a shell may. */
export function expandHome(path: string, env: Environment): string {
  return path.replace(/^~(?=$|[/\\])/, () => home(env));
}

const home = (env: Environment): string => env.HOME || homedir();
