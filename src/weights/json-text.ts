/** JSON files as people's tools write them. */

/** What editors on Windows put in front of UTF-8. */
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * The value of a JSON text that may begin with a byte order mark. Every JSON file that a user may have
 * edited is read with this.
 * @throws SyntaxError when it is not JSON.
 */
export function parseJson(text: string): unknown {
  return JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);
}
