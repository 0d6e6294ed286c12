/** Web pages that servers send in place of files: for names they do not know, or to log in. */

/** Whether a `Content-Type` is that of a web page. */
export const isWebPageType = (type: string | null | undefined): boolean =>
  /^\s*(text\/html|application\/xhtml\+xml)\b/i.test(type ?? '');

/** Whether a file of this name may be a web page. */
export const isWebPageName = (name: string): boolean => /\.x?html?$/i.test(name);

/** Whether the first bytes of a file are those of a web page. No weights begin so. */
export function isWebPage(start: Uint8Array): boolean {
  const text = new TextDecoder().decode(start.subarray(0, 256)).trimStart();
  return /^(<!doctype|<html|<head|<body|<title|<meta|<script|<\?xml|<!--)/i.test(text);
}
