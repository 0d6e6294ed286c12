/** Text below the images of a sheet. */
import { type Coverage, canWrite, drawLine, lineOf, widthOf } from './letters.ts';

type Colour = readonly [red: number, green: number, blue: number];

/** Rows of pixels of a sheet, to draw on. */
export interface Canvas {
  readonly width: number;
  /** Four bytes a pixel. */
  readonly rgba: Uint8ClampedArray;
}

/** How labels of one sheet look. */
export interface LabelStyle {
  /** Pixels of an em. */
  readonly size: number;
  /** Of the first text, and of those below it. */
  readonly colours: readonly [Colour, Colour];
  /** Pixels from the image down to the end of a label. */
  readonly height: number;
}

/** Smaller letters cannot be read. */
const LEAST_SIZE = 11;

/** Between lines: of another kind, or of one text that is too long for a line. */
const BREAK = /[\n\u2028]/;
const SAME_TEXT = '\u2028';

/** Beside a label, as a share of its size. */
const MARGIN = 0.25;

const ON_LIGHT: LabelStyle['colours'] = [
  [24, 24, 24],
  [112, 112, 112],
];
const ON_DARK: LabelStyle['colours'] = [
  [240, 240, 240],
  [160, 160, 160],
];

/**
 * The style for labels below images of `width` pixels. Letters grow more slowly than images: 11
 * pixels for 96, 16 for 192, 23 for 384.
 */
export function labelStyle(
  labels: readonly string[],
  width: number,
  [red, green, blue]: Colour,
): LabelStyle {
  const size = labelSize(width);
  const lines = labels.reduce((most, label) => Math.max(most, label.split(BREAK).length), 1);
  const isLight = 0.299 * red + 0.587 * green + 0.114 * blue > 127;
  return {
    size,
    colours: isLight ? ON_LIGHT : ON_DARK,
    height: lines * lineOf(size).height + Math.round(size / 4),
  };
}

const labelSize = (width: number): number =>
  Math.max(LEAST_SIZE, Math.round(1.15 * Math.sqrt(width)));

/**
 * A text in lines for a label below an image of `width` pixels, cut between words; the last line holds
 * what is left. Characters that the font lacks are question marks.
 */
export function wrapLabel(text: string, width: number, maxLines: number): string {
  const size = labelSize(width);
  const room = width - 2 * MARGIN * size;
  const shown = [...text.normalize('NFC')].map((letter) => (canWrite(letter) ? letter : '?'));
  const lines: string[] = [];
  for (const word of shown.join('').trim().split(/\s+/)) {
    const last = lines.at(-1);
    const longer = last === undefined ? word : `${last} ${word}`;
    const fits = last === undefined || widthOf(longer, size) <= room;
    if (fits || lines.length === maxLines) lines[Math.max(0, lines.length - 1)] = longer;
    else lines.push(word);
  }
  return lines.join(SAME_TEXT);
}

/**
 * A class as a label says it: its name, or `class 12` where that is empty or in letters which the
 * font lacks.
 */
export function classLabel(name: string, index: number): string {
  const text = name.trim().replace(/\s+/g, ' ');
  return text !== '' && canWrite(text) ? text : `class ${index}`;
}

/** The text, or as much of its beginning as fits into `width` pixels, with an ellipsis. */
export function shortened(text: string, size: number, width: number): string {
  if (widthOf(text, size) <= width) return text;
  const letters = [...text.normalize('NFC')];
  const cut = (length: number): string => `${letters.slice(0, length).join('').trimEnd()}…`;
  let [fits, tooLong] = [0, letters.length];
  while (tooLong - fits > 1) {
    const middle = (fits + tooLong) >> 1;
    if (widthOf(cut(middle), size) <= width) fits = middle;
    else tooLong = middle;
  }
  return fits > 0 ? cut(fits) : '';
}

/**
 * Draws a label in the middle of a tile.
 * @param left Pixels from the left of the canvas to the tile.
 * @param top Pixels from the top of the canvas to the end of the image.
 */
export function drawLabel(
  canvas: Canvas,
  label: string,
  { size, colours }: LabelStyle,
  { left, top, width }: { readonly left: number; readonly top: number; readonly width: number },
): void {
  const { height } = lineOf(size);
  const lines = label
    .split('\n')
    .flatMap((text, kind) => text.split(SAME_TEXT).map((line) => ({ line, kind })));
  for (const [i, { line, kind }] of lines.entries()) {
    const text = shortened(line, size, width - 2 * MARGIN * size);
    const drawn = drawLine(text, size, width, (width - widthOf(text, size)) / 2);
    const colour = colours[kind === 0 ? 0 : 1];
    blend(canvas, drawn, left, top + i * height + Math.round(size / 8), colour);
  }
}

/** Puts a colour over the canvas where there is text. */
function blend(
  { width: canvasWidth, rgba }: Canvas,
  { width, values }: Coverage,
  left: number,
  top: number,
  colour: Colour,
): void {
  for (let i = 0; i < values.length; i++) {
    const covered = values[i] ?? 0;
    if (covered === 0) continue;
    const at = 4 * ((top + Math.floor(i / width)) * canvasWidth + left + (i % width));
    const below = ((rgba[at + 3] ?? 0) / 255) * (1 - covered);
    const alpha = covered + below;
    for (const [c, value] of colour.entries()) {
      rgba[at + c] = (covered * value + below * (rgba[at + c] ?? 0)) / alpha;
    }
    rgba[at + 3] = 255 * alpha;
  }
}
