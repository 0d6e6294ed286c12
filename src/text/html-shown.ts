/** The text of an HTML document as Beautiful Soup collects it, tag by tag. */

/** Elements without content, of HTML 5 and before. */
const EMPTY = new Set(
  (
    'area base br col embed hr img input keygen link menuitem meta param source track wbr ' +
    'basefont bgsound command frame image isindex nextid spacer'
  ).split(' '),
);
/** Elements whose text is not that of the document. */
const HIDDEN = new Set(['rt', 'rp', 'style', 'script', 'template']);
/** Elements whose blanks stay as they are. */
const PREFORMATTED = new Set(['pre', 'textarea']);

export class ShownText {
  readonly #open: string[] = [];
  readonly #texts: string[] = [];
  /** Empty elements that were closed by themselves, and may be closed by a tag once more. */
  readonly #closed: string[] = [];
  #current: string[] = [];

  add(text: string): void {
    this.#current.push(text);
  }

  open(name: string, closedByItself: boolean): void {
    this.#endText(false);
    this.#open.push(name);
    if (closedByItself) {
      this.close(name);
    } else if (EMPTY.has(name)) {
      this.#closeInnermost(name);
      this.#closed.push(name);
    }
  }

  close(name: string): void {
    const already = this.#closed.indexOf(name);
    if (already >= 0) this.#closed.splice(already, 1);
    else this.#closeInnermost(name);
  }

  /** Ends a run of text at something that is none; `shown` is text of its own, whatever is open. */
  cut(shown?: string): void {
    this.#endText(false);
    if (shown === undefined) return;
    this.#current.push(shown);
    this.#endText(true);
  }

  text(): string {
    this.#endText(false);
    return this.#texts.join('');
  }

  #closeInnermost(name: string): void {
    this.#endText(false);
    const place = this.#open.lastIndexOf(name);
    if (place >= 0) this.#open.length = place;
  }

  #endText(always: boolean): void {
    if (this.#current.length === 0) return;
    const text = this.#current.join('');
    this.#current = [];
    if (!always && this.#open.some((name) => HIDDEN.has(name))) return;
    const isBlank = /^[ \n\t\f\r]*$/.test(text);
    const keep = !isBlank || this.#open.some((name) => PREFORMATTED.has(name));
    this.#texts.push(keep ? text : text.includes('\n') ? '\n' : ' ');
  }
}
