/** Two kinds of plots as SVG text. Colours and fonts are those of the page (style.ts). */

/** Text that can stand in SVG and HTML. */
export const escapeText = (text: string): string =>
  text.replace(
    /[&<>"]/g,
    (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c,
  );

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** What stands behind the bar. */
  readonly text: string;
  /** Which of the page's colours, from 0. */
  readonly colour?: number;
}

export interface BarOptions {
  /** A dashed line: where the limit is. */
  readonly mark?: number;
  readonly max?: number;
  /** Values grow by factors, not by steps. */
  readonly log?: boolean;
}

const WIDTH = 960;
const LABELS = 330;
const ROW = 22;
const TEXT_ROOM = 230;

/** Horizontal bars, one under the other. */
export function bars(items: readonly Bar[], { mark, max, log = false }: BarOptions = {}): string {
  const most = max ?? Math.max(mark ?? 0, ...items.map(({ value }) => value), Number.MIN_VALUE);
  const least = log ? Math.min(mark ?? most, ...items.map(({ value }) => value)) / 2 : 0;
  const room = WIDTH - LABELS - TEXT_ROOM;
  const x = (value: number): number => {
    const share = log ? Math.log(value / least) / Math.log(most / least) : value / most;
    return LABELS + room * Math.min(1, Math.max(0, share));
  };
  const height = items.length * ROW + 8;
  const rows = items.map(({ label, value, text, colour = 0 }, i) => {
    const y = i * ROW + 4;
    const width = Math.max(1, x(value) - LABELS);
    return `<text class="label" x="${LABELS - 8}" y="${y + 14}" text-anchor="end">${escapeText(short(label))}<title>${escapeText(label)}</title></text>
<rect class="c${colour}" x="${LABELS}" y="${y + 2}" width="${width.toFixed(1)}" height="${ROW - 7}" rx="2"><title>${escapeText(`${label}: ${text}`)}</title></rect>
<text class="value" x="${(LABELS + width + 6).toFixed(1)}" y="${y + 14}">${escapeText(text)}</text>`;
  });
  const line =
    mark === undefined
      ? ''
      : `<line class="mark" x1="${x(mark).toFixed(1)}" y1="0" x2="${x(mark).toFixed(1)}" y2="${height}"/>`;
  return `<svg viewBox="0 0 ${WIDTH} ${height}">${line}${rows.join('\n')}</svg>`;
}

const MOST_LETTERS = 52;
const short = (text: string): string =>
  text.length <= MOST_LETTERS ? text : `${text.slice(0, MOST_LETTERS - 1)}…`;

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly colour?: number;
  readonly dashed?: boolean;
}

export interface LineOptions {
  readonly xLabel: string;
  readonly yLabel: string;
  /** Where the x axis has numbers, and what they are called. */
  readonly ticks: readonly (readonly [x: number, label: string])[];
  readonly logX?: boolean;
}

const PLOT = { width: 460, height: 280, left: 64, right: 16, top: 16, bottom: 44 };

/** Curves over one axis; y is logarithmic, as what is compared differs by factors. */
export function curves(
  lines: readonly Line[],
  { xLabel, yLabel, ticks, logX }: LineOptions,
): string {
  const { width, height, left, right, top, bottom } = PLOT;
  const points = lines.flatMap((line) => line.points);
  const fx = (v: number): number => (logX ? Math.log2(v) : v);
  const xs = [...points.map(([x]) => fx(x)), ...ticks.map(([x]) => fx(x))];
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const ys = points.map(([, y]) => Math.log10(y)).filter(Number.isFinite);
  const [y0, y1] = [Math.floor(Math.min(...ys)), Math.ceil(Math.max(...ys))];
  const x = (v: number): number =>
    left + ((width - left - right) * (fx(v) - x0)) / Math.max(x1 - x0, 1e-9);
  const y = (v: number): number =>
    height - bottom - ((height - top - bottom) * (Math.log10(v) - y0)) / Math.max(y1 - y0, 1);
  const decades = Array.from({ length: y1 - y0 + 1 }, (_, i) => 10 ** (y0 + i));
  const grid = decades.map(
    (
      d,
    ) => `<line class="grid" x1="${left}" x2="${width - right}" y1="${y(d).toFixed(1)}" y2="${y(d).toFixed(1)}"/>
<text class="label" x="${left - 6}" y="${(y(d) + 4).toFixed(1)}" text-anchor="end">${plain(d)}</text>`,
  );
  const under = ticks.map(
    ([v, label]) =>
      `<text class="label" x="${x(v).toFixed(1)}" y="${height - bottom + 16}" text-anchor="middle">${escapeText(label)}</text>`,
  );
  const drawn = lines.map(({ name, points: own, colour = 0, dashed = false }) => {
    const sorted = [...own].sort((a, b) => a[0] - b[0]);
    const path = sorted.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(' ');
    const dots = dashed
      ? ''
      : sorted
          .map(
            ([px, py]) =>
              `<circle class="c${colour}" cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="3.5"><title>${escapeText(`${name}: ${plain(py)}`)}</title></circle>`,
          )
          .join('');
    return `<polyline class="l${colour}${dashed ? ' dashed' : ''}" points="${path}"/>${dots}`;
  });
  const legend = lines.map(({ name, colour = 0, dashed = false }, i) => {
    const ly = top + 8 + i * 16;
    return `<line class="l${colour}${dashed ? ' dashed' : ''}" x1="${left + 10}" x2="${left + 32}" y1="${ly}" y2="${ly}"/><text class="value" x="${left + 38}" y="${ly + 4}">${escapeText(name)}</text>`;
  });
  return `<svg class="curves" viewBox="0 0 ${width} ${height}">${grid.join('')}${under.join('')}
<text class="label" x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">${escapeText(xLabel)}</text>
<text class="label" transform="translate(14 ${(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">${escapeText(yLabel)}</text>
${drawn.join('')}${legend.join('')}</svg>`;
}

/** 0.01, 1, 1000, 100k. */
export function plain(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  if (value >= 1e4) return `${value / 1e3}k`;
  return String(Number(value.toPrecision(3)));
}
