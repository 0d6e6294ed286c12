/** How many images a server takes on before it tells clients to come again later. */
import { ApiError } from './api-error.ts';

/** Seconds that a client is told to wait when nothing was drawn yet that would tell. */
const UNKNOWN_WAIT = 5;
const MAX_WAIT = 300;
/** Weight of the latest image in the mean time between two. */
const LATEST = 0.2;

export class Admission {
  /** Images that were taken and are not done. */
  #taken = 0;
  readonly #room: () => number;
  readonly #now: () => number;
  /** Mean time from one image to the next while there is work, in milliseconds. */
  #pace: number | undefined;
  #lastDone: number | undefined;

  /**
   * @param room Images that it may have at once: those that run and those that may wait.
   * @param now Milliseconds of a clock that never goes back.
   */
  constructor(room: () => number, now: () => number = () => performance.now()) {
    this.#room = room;
    this.#now = now;
  }

  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes images on; an empty server takes any request.
   * @throws ApiError (429) that says when to come again.
   */
  take(images: number): void {
    const room = this.#room();
    if (this.#taken > 0 && this.#taken + images > room) {
      const surplus = this.#taken + images - room;
      const seconds = this.#pace === undefined ? UNKNOWN_WAIT : (surplus * this.#pace) / 1000;
      const retryAfter = Math.min(MAX_WAIT, Math.max(1, Math.ceil(seconds)));
      throw new ApiError(
        429,
        `${this.#taken} images are being drawn or wait, and there is room for ${room}: ask again in ${retryAfter} s`,
        { code: 'queue_full', retryAfter },
      );
    }
    if (this.#taken === 0) this.#lastDone = this.#now();
    this.#taken += images;
  }

  /** An image is done. */
  done(): void {
    const now = this.#now();
    const took = now - (this.#lastDone ?? now);
    this.#pace = this.#pace === undefined ? took : this.#pace + LATEST * (took - this.#pace);
    this.#lastDone = now;
    this.#taken--;
  }

  /** Images that will not be drawn. */
  giveUp(images: number): void {
    this.#taken -= images;
  }
}
