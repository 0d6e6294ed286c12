/** Most characters of a name that are repeated. */
const MAX_CHARS = 60;

/** A name out of a file, for messages: in quotes, cut where it is long. */
export const quoteName = (name: string): string =>
  JSON.stringify(name.length > MAX_CHARS ? `${name.slice(0, MAX_CHARS)}...` : name);
