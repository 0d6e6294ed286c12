/**
 * The text of HTML, or of what somebody who writes a caption took for it: what
 * `BeautifulSoup(text, features='html.parser').text` gives (bs4 4.11, Python 3.11).
 *
 * A parser after the standard would give other texts where tags are broken, and captions with a
 * "<" or an "&" in them mostly are.
 */
import { namedCharacter, windows1252 } from './html-entities.ts';
import { declaration, type End, endTag, matchFrom, startTag } from './html-scan.ts';
import { ShownText } from './html-shown.ts';
import { pythonPattern } from './python-text.ts';

/** The text that a browser would show, as far as html.parser sees it. */
export function htmlText(html: string): string {
  const reader = new Reader();
  const rest = reader.read(html, false);
  reader.read(rest, true);
  return reader.shown.text();
}

const NUMBER = /&#([0-9]+|[xX][0-9a-fA-F]+)[^0-9a-fA-F]/y;
const NAME = /&([a-zA-Z][-.a-zA-Z0-9]*)[^a-zA-Z0-9]/y;

class Reader {
  readonly shown = new ShownText();
  /** The element whose content is no HTML, while it is open: script or style. */
  #raw: string | undefined;

  /** Reads what is complete, at the end of the text all of it; gives back the rest. */
  read(text: string, atEnd: boolean): string {
    let at = 0;
    while (at < text.length) {
      const next = this.#nextMarkup(text, at);
      if (next === undefined) break;
      if (next > at) this.shown.add(text.slice(at, next));
      at = next;
      if (at === text.length) break;
      const step =
        text[at] === '<' ? this.#markup(text, at, atEnd) : this.#reference(text, at, atEnd);
      at = step.to;
      if (step.stop) break;
    }
    if (atEnd && at < text.length && this.#raw === undefined) {
      this.shown.add(text.slice(at));
      at = text.length;
    }
    return text.slice(at);
  }

  /** Where the text goes on with something else than text; undefined within a script to the end. */
  #nextMarkup(text: string, at: number): number | undefined {
    const pattern =
      this.#raw === undefined ? /[&<]/g : pythonPattern(`</\\s*${this.#raw}\\s*>`, 'gi');
    const found = matchFrom(pattern, text, at);
    return found?.index ?? (this.#raw === undefined ? text.length : undefined);
  }

  #markup(text: string, at: number, atEnd: boolean): Step {
    if (at + 1 === text.length) return { to: at, stop: true };
    const end = this.#markupEnd(text, at);
    if (end !== undefined) return { to: end, stop: false };
    if (!atEnd) return { to: at, stop: true };
    // What has no end is text, up to where something else may begin.
    const close = text.indexOf('>', at + 1);
    const open = text.indexOf('<', at + 1);
    const to = close >= 0 ? close + 1 : open >= 0 ? open : at + 1;
    this.shown.add(text.slice(at, to));
    return { to, stop: false };
  }

  /** Takes what a "<" begins, and says where it ends; undefined where it has no end yet. */
  #markupEnd(text: string, at: number): End {
    const next = text[at + 1] ?? '';
    if (/[a-zA-Z]/.test(next)) return this.#startTag(text, at);
    if (next === '/') return this.#endTag(text, at);
    if (next === '!' || next === '?') return this.#declaration(text, at);
    this.shown.add('<');
    return at + 1;
  }

  #startTag(text: string, at: number): End {
    const tag = startTag(text, at);
    if (tag?.name === undefined) {
      if (tag) this.shown.add(text.slice(at, tag.end));
      return tag?.end;
    }
    this.shown.open(tag.name, tag.closed);
    if (!tag.closed && (tag.name === 'script' || tag.name === 'style')) this.#raw = tag.name;
    return tag.end;
  }

  #endTag(text: string, at: number): End {
    const tag = endTag(text, at);
    if (!tag) return undefined;
    const isText = this.#raw !== undefined && !(tag.proper && tag.name === this.#raw);
    if (isText) {
      this.shown.add(text.slice(at, tag.end));
    } else if (tag.name === undefined) {
      // "</>" is nothing, any other a comment.
      if (text[at + 2] !== '>') this.shown.cut();
    } else {
      this.shown.close(tag.name);
      if (tag.proper) this.#raw = undefined;
    }
    return tag.end;
  }

  #declaration(text: string, at: number): End {
    const found = declaration(text, at);
    if (found) this.shown.cut(found.shown);
    return found?.end;
  }

  #reference(text: string, at: number, atEnd: boolean): Step {
    const number = matchFrom(NUMBER, text, at);
    const name = matchFrom(NAME, text, at);
    const found = number ?? name;
    if (found) {
      this.shown.add(number ? numbered(number[1] ?? '') : named(name?.[1] ?? ''));
      const end = at + found[0].length;
      return { to: text[end - 1] === ';' ? end : end - 1, stop: false };
    }
    if (text[at + 1] === '#') {
      if (!text.includes(';', at)) return { to: at, stop: true };
      this.shown.add('&#');
      return { to: at + 2, stop: true };
    }
    if (/[a-zA-Z]/.test(text[at + 1] ?? '')) {
      // An "&" and one letter at the end lose the "&".
      return { to: atEnd && text.length === at + 2 ? at + 1 : at, stop: true };
    }
    if (at + 1 === text.length) return { to: at, stop: true };
    this.shown.add('&');
    return { to: at + 1, stop: false };
  }
}

/** Where to go on, and whether the rest has to wait for the end of the text. */
interface Step {
  readonly to: number;
  readonly stop: boolean;
}

const named = (name: string): string => namedCharacter(name) ?? `&${name}`;

/** Numbers below 256 are bytes of windows-1252. */
function numbered(number: string): string {
  const code = Number(/^x/i.test(number) ? `0x${number.slice(1)}` : number);
  if (code < 256) return windows1252(code);
  return code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code);
}
