/** Errors as the page explains them. */

/** What went wrong, in place of a picture or beside it. */
export interface Problem {
  readonly title: string;
  /** What was wrong and what to do. */
  readonly text: string;
  /** Tries again, where that may help. */
  readonly retry?: (() => unknown) | undefined;
}

/** What was being done. */
type During = 'adapter' | 'model' | 'given' | 'drawing' | 'file' | 'gallery' | 'picture' | 'store';

const TITLES: Readonly<Record<During, string>> = {
  adapter: 'This browser cannot draw here',
  model: 'The model did not load',
  given: 'The model did not load',
  drawing: 'The picture was not finished',
  file: 'This file cannot be used',
  gallery: 'The gallery cannot be kept',
  picture: 'This picture cannot be read',
  store: 'Stored models cannot be seen',
};

export function problemOf(error: unknown, during: During, retry?: () => unknown): Problem {
  const offline = isOffline(error);
  const title = offline ? 'Offline' : TITLES[during];
  const text = offline
    ? 'There is no network, and this model is not on this device yet. What is in the gallery stays.'
    : sentence(error instanceof Error ? error.message : String(error));
  // A bad file stays one, but a server may have a better one by now.
  const final = during === 'model' ? ['OptionError'] : ['OptionError', 'WeightsError'];
  const isFinal = error instanceof Error && final.includes(error.name);
  return { title, text, retry: isFinal && !offline ? undefined : retry };
}

function isOffline(error: unknown): boolean {
  if (!(error instanceof Error) || navigator.onLine) return false;
  return error.name === 'TypeError' || error.name === 'DownloadError';
}

/** Messages begin small, with a word or with the name of a file, and end without a full stop. */
export function sentence(text: string): string {
  const isWord = /^[a-z]+[ ,]/.test(text);
  const first = isWord ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
