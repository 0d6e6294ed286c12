/** Text to coverage of pixels, with the letters of `label-font.ts`. */
import { EM, GLYPHS, ORIGIN } from './label-font.ts';
import { Pen } from './pen.ts';

/** A point in units of the em, y upwards from the baseline. */
interface Point {
  readonly x: number;
  readonly y: number;
}

/** A point of an outline as the font has it. */
interface CurvePoint extends Point {
  readonly onCurve: boolean;
}

interface Glyph {
  readonly advance: number;
  /** Ends of the straight lines that the outline is made of. */
  readonly contours: readonly (readonly Point[])[];
}

/** A glyph at its place in a line, in units of the em. */
interface Placed {
  readonly glyph: Glyph;
  readonly x: number;
  readonly y: number;
}

/** How dark each pixel of a line is, f32 [height, width], 0 to 1. */
export interface Coverage {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

/** Height of "x", and the depth of "p", in units of the em. */
const X_HEIGHT = 101;
const DESCENT = 42;

/** Height of a capital letter with an accent. */
const ASCENT = 180;

/** Between a letter and an accent above it. */
const ACCENT_GAP = 11;

/** Straight pieces of a curve: at the largest sizes they stay within a tenth of a pixel. */
const PIECES = 6;

/** The glyph for each combining accent; one that is not here is left out. */
const ABOVE: Readonly<Record<string, string>> = {
  '\u0300': '`',
  '\u0301': '´',
  '\u0302': 'ˆ',
  '\u0303': '˜',
  '\u0304': '¯',
  '\u0307': '.',
  '\u0308': '¨',
  '\u030a': '˚',
  '\u030b': '˝',
  '\u030c': 'ˇ',
};
const BELOW: Readonly<Record<string, string>> = { '\u0326': '¸', '\u0327': '¸', '\u0328': '¸' };

let glyphs: ReadonlyMap<string, Glyph> | undefined;

/** Whether there is a letter for each character; accents may be missing. */
export function canWrite(text: string): boolean {
  return charactersOf(text)
    .filter((character) => !isAccent(character))
    .every((character) => fontOf().has(character));
}

/** How many pixels wide a text is at a size in pixels of the em. */
export function widthOf(text: string, size: number): number {
  return (place(text).width * size) / EM;
}

/** Pixels of a line above the baseline, and all of it, at a size in pixels of the em. */
export function lineOf(size: number): { readonly baseline: number; readonly height: number } {
  const { y } = scalesOf(size);
  const baseline = Math.ceil(ASCENT * y);
  return { baseline, height: baseline + Math.ceil(DESCENT * y) };
}

/** Draws a line of text, its left edge `left` pixels from that of a line of `width` pixels. */
export function drawLine(text: string, size: number, width: number, left: number): Coverage {
  const { baseline, height } = lineOf(size);
  const scales = scalesOf(size);
  const pen = new Pen(width, height);
  for (const { glyph, x, y } of place(text).glyphs) {
    for (const contour of glyph.contours) {
      const points = contour.map((point) => ({
        x: left + (x + point.x) * scales.x,
        y: baseline - (y + point.y) * scales.y,
      }));
      for (const [i, to] of points.entries()) {
        const from = points.at(i - 1);
        if (from) pen.line(from.x, from.y, to.x, to.y);
      }
    }
  }
  return { width, height, values: pen.coverage() };
}

/** Pixels a unit. Upwards so that the "x" ends at the edge of a pixel, which keeps small text sharp. */
function scalesOf(size: number): { readonly x: number; readonly y: number } {
  const x = size / EM;
  return { x, y: Math.max(1, Math.round(X_HEIGHT * x)) / X_HEIGHT };
}

/** Letters and accents apart, as far as the font has no letter with the accent on it. */
function charactersOf(text: string): string[] {
  const font = fontOf();
  return [...text.normalize('NFC')].flatMap((character) =>
    font.has(character) ? [character] : [...character.normalize('NFKD')],
  );
}

const isAccent = (character: string): boolean => /\p{M}/u.test(character);

function place(text: string): { readonly glyphs: readonly Placed[]; readonly width: number } {
  const font = fontOf();
  const glyphs: Placed[] = [];
  const characters = charactersOf(text);
  let width = 0;
  let base: Placed | undefined;
  for (const [i, character] of characters.entries()) {
    const accent = font.get(ABOVE[character] ?? BELOW[character] ?? '');
    if (accent && base) glyphs.push(accented(base, accent, character in ABOVE));
    if (isAccent(character)) continue;
    const dotless = character === 'i' && (characters[i + 1] ?? '') in ABOVE;
    const glyph = font.get(dotless ? 'ı' : character) ?? font.get('?');
    if (!glyph) continue;
    base = { glyph, x: width, y: 0 };
    glyphs.push(base);
    width += glyph.advance;
  }
  return { glyphs, width };
}

/** Puts an accent in the middle above or below a letter. */
function accented(base: Placed, accent: Glyph, above: boolean): Placed {
  const [letter, mark] = [boxOf(base.glyph), boxOf(accent)];
  const x = base.x + (letter.left + letter.right - mark.left - mark.right) / 2;
  return { glyph: accent, x, y: above ? letter.top + ACCENT_GAP - mark.bottom : 0 };
}

function boxOf({ contours }: Glyph) {
  const [xs, ys] = [contours.flat().map(({ x }) => x), contours.flat().map(({ y }) => y)];
  return {
    left: Math.min(...xs),
    right: Math.max(...xs),
    bottom: Math.min(...ys),
    top: Math.max(...ys),
  };
}

/** A closed contour as the ends of straight lines. */
function flatten(contour: readonly CurvePoint[]): Point[] {
  const full = withMiddles(contour);
  const start = full.findIndex(({ onCurve }) => onCurve);
  const turned = [...full.slice(start), ...full.slice(0, start + 1)];
  return turned.flatMap((point, i) => {
    const [before, after] = [turned[i - 1], turned[i + 1]];
    if (point.onCurve || !before || !after) return point.onCurve ? [point] : [];
    return Array.from({ length: PIECES - 1 }, (_, k) => {
      const t = (k + 1) / PIECES;
      const [a, b, c] = [(1 - t) ** 2, 2 * t * (1 - t), t ** 2];
      return {
        x: a * before.x + b * point.x + c * after.x,
        y: a * before.y + b * point.y + c * after.y,
      };
    });
  });
}

/** Adds the points on the curve that are halfway between two off it. */
function withMiddles(contour: readonly CurvePoint[]): CurvePoint[] {
  return contour.flatMap((point, i) => {
    const before = contour.at(i - 1);
    if (point.onCurve || !before || before.onCurve) return [point];
    return [{ x: (before.x + point.x) / 2, y: (before.y + point.y) / 2, onCurve: true }, point];
  });
}

function fontOf(): ReadonlyMap<string, Glyph> {
  glyphs ??= readFont(Uint8Array.from(atob(GLYPHS), (c) => c.charCodeAt(0)));
  return glyphs;
}

function readFont(bytes: Uint8Array): Map<string, Glyph> {
  const font = new Map<string, Glyph>();
  let at = 0;
  const next = (): number => bytes[at++] ?? 0;
  while (at < bytes.length) {
    const character = String.fromCodePoint(256 * next() + next());
    const advance = next();
    const contours = Array.from({ length: next() }, () => {
      const count = next();
      const bits = Array.from({ length: Math.ceil(count / 8) }, next);
      const points = Array.from({ length: count }, (_, i) => ({
        x: next() - ORIGIN.x,
        y: next() - ORIGIN.y,
        onCurve: (((bits[i >> 3] ?? 0) >> (i & 7)) & 1) === 1,
      }));
      return flatten(points);
    });
    font.set(character, { advance, contours });
  }
  return font;
}
