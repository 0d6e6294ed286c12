/** Checks that everything that is timed computes the same. */

/** The tokens of each image, as first seen: class and seed of image i are the same in every run. */
export class TokenCheck {
  readonly #known: ArrayLike<number>[] = [];

  /**
   * @param what The run, for the message.
   * @throws Error when an image differs from what an earlier run made of it.
   */
  check(what: string, grids: readonly ArrayLike<number>[]): void {
    for (const [image, tokens] of grids.entries()) {
      const known = this.#known[image];
      this.#known[image] ??= tokens;
      if (!known) continue;
      const length = Math.max(known.length, tokens.length);
      const at = Array.from({ length }, (_, i) => i).find((i) => known[i] !== tokens[i]);
      if (at === undefined) continue;
      throw new Error(
        `${what}: token ${at} of image ${image} is ${tokens[at]}, and was ${known[at]} in an earlier ` +
          'run of the same class and seed: what is timed is wrong, so nothing is reported',
      );
    }
  }
}
