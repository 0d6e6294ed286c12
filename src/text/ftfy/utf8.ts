/** UTF-8 as ftfy 6 reads it, with the two mistakes in it that are common. */

// Characters beyond U+FFFF as two surrogates of three bytes each, which is CESU-8.
const SURROGATES = /\xed([\xa0-\xaf])([\x80-\xbf])\xed([\xb0-\xbf])([\x80-\xbf])/g;

/** The text of bytes, one character each; undefined when they are no UTF-8. */
export function decodeUtf8(bytes: string): string | undefined {
  // Java's zero is two bytes long.
  const standard = bytes.replaceAll('\xc0\x80', '\0').replace(SURROGATES, (_, a, b, c, d) => {
    const [high, middle, low, last] = [a, b, c, d].map((byte: string) => byte.charCodeAt(0));
    return fourBytes(high ?? 0, middle ?? 0, low ?? 0, last ?? 0);
  });
  const array = Uint8Array.from(standard, (byte) => byte.charCodeAt(0));
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(array);
  } catch {
    return undefined;
  }
}

/** UTF-8 of the character whose bits are spread over two surrogates. */
function fourBytes(a: number, b: number, c: number, d: number): string {
  const code = 0x10000 + ((a & 0x0f) << 16) + ((b & 0x3f) << 10) + ((c & 0x0f) << 6) + (d & 0x3f);
  const bytes = new TextEncoder().encode(String.fromCodePoint(code));
  return String.fromCharCode(...bytes);
}
