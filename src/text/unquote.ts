/** Percent-encoded text, as in a URL's query. */

/** A run of what a URL is made of, with the escapes in it. */
const RUN = /%[0-9a-fA-F]{2}(?:[\0-\x7f]*%[0-9a-fA-F]{2})*/g;

/**
 * `urllib.parse.unquote_plus`: plus signs are blanks, `%41` is the byte 0x41; bytes are UTF-8, and
 * what is none becomes U+FFFD. A percent sign before anything else stays.
 */
export function unquotePlus(text: string): string {
  return text.replaceAll('+', ' ').replace(RUN, (run) => {
    const bytes: number[] = [];
    for (const [part] of run.matchAll(/%[0-9a-fA-F]{2}|[\0-\x7f]/g)) {
      bytes.push(part.length > 1 ? Number.parseInt(part.slice(1), 16) : part.charCodeAt(0));
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  });
}
