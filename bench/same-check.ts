/** Checks that everything that is timed computes the same. */

/** What was first made of each image: class and seed of image i are the same in every run. */
export class SameCheck {
  readonly #unit: string;
  readonly #known = new Map<number, ArrayLike<number>>();

  /** @param unit What one value is, for the message. */
  constructor(unit: string) {
    this.#unit = unit;
  }

  /**
   * @param run For the message.
   * @throws Error when an image differs from what an earlier run made of it.
   */
  check(run: string, image: number, values: ArrayLike<number>): void {
    const known = this.#known.get(image) ?? values;
    this.#known.set(image, known);
    let at = 0;
    const length = Math.max(known.length, values.length);
    while (at < length && known[at] === values[at]) at++;
    if (at === length) return;
    throw new Error(
      `${run}: ${this.#unit} ${at} of image ${image} is ${values[at]}, and was ${known[at]} in an ` +
        'earlier run of the same class and seed: what is timed is wrong, so nothing is reported',
    );
  }
}
