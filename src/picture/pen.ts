/** Fills outlines: how much of each pixel lies inside. */

/**
 * Adds up signed areas. A line changes the area to its right by the height that it covers in a row;
 * the running sum along the row is then the coverage, exact for the pixels at the edge. As in
 * font-rs and stb_truetype 2.
 */
export class Pen {
  readonly #width: number;
  readonly #height: number;
  /** Changes of coverage, one more than pixels in a row, since a line at the right edge writes behind it. */
  readonly #changes: Float32Array;

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
    this.#changes = new Float32Array((width + 2) * height);
  }

  /** A line of an outline, in pixels from the top left. What lies outside is cut off. */
  line(x0: number, y0: number, x1: number, y1: number): void {
    if (y0 === y1) return;
    const [direction, top, bottom] = y0 < y1 ? [1, y0, y1] : [-1, y1, y0];
    const slope = (x1 - x0) / (y1 - y0);
    const xAt = (y: number): number => Math.min(this.#width, Math.max(0, x0 + (y - y0) * slope));
    const lastRow = Math.min(this.#height, Math.ceil(bottom));
    for (let row = Math.max(0, Math.floor(top)); row < lastRow; row++) {
      const [from, to] = [Math.max(row, top), Math.min(row + 1, bottom)];
      const [a, b] = [xAt(from), xAt(to)];
      this.#span(row, Math.min(a, b), Math.max(a, b), direction * (to - from));
    }
  }

  /** f32 [height, width], 0 to 1. */
  coverage(): Float32Array {
    const [width, height] = [this.#width, this.#height];
    const values = new Float32Array(width * height);
    for (let row = 0; row < height; row++) {
      let sum = 0;
      for (let x = 0; x < width; x++) {
        sum += this.#changes[row * (width + 2) + x] ?? 0;
        values[row * width + x] = Math.min(1, Math.abs(sum));
      }
    }
    return values;
  }

  /** A line from `left` to `right` in one row, over `area` of its height. */
  #span(row: number, left: number, right: number, area: number): void {
    const first = Math.floor(left);
    const count = Math.max(1, Math.ceil(right) - first);
    let before = 0;
    for (let i = 0; i < count; i++) {
      const x = first + i;
      // The share of the line up to the end of this pixel, each piece weighed by what lies right of it.
      const [from, to] = [Math.max(left, x), Math.min(right, x + 1)];
      const share = right > left ? (to - from) / (right - left) : 1;
      const middle = right > left ? (from + to) / 2 - x : left - x;
      this.#add(row, x, area * share * (1 - middle) + before);
      before = area * share * middle;
    }
    this.#add(row, first + count, before);
  }

  #add(row: number, x: number, change: number): void {
    const at = row * (this.#width + 2) + x;
    this.#changes[at] = (this.#changes[at] ?? 0) + change;
  }
}
