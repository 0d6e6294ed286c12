/** Token grids that wait to become pictures: those that wait together are decoded in one run. */
import { DeviceError } from '../errors.ts';
import type { Profiler } from '../gpu/profiler.ts';
import type { Network } from '../load/network.ts';
import type { VqConfig } from '../models/vq-config.ts';
import {
  assertPicture,
  cachedDecoder,
  type GridSize,
  type ImageDecoder,
  type Picture,
  pictureSize,
} from './images.ts';
import { floorPower, imagesARun } from './images-a-run.ts';
import { assertFlawless } from './not-finite.ts';
import { layoutOf, type PictureTarget } from './picture-target.ts';

/** One grid of tokens that has been checked, and the number of its image for messages. */
export interface GridToDecode {
  readonly grid: GridSize;
  readonly tokens: ArrayLike<number>;
  readonly index: number;
}

interface Waiting extends GridToDecode {
  /** Where its pixels go. Default: they are read. */
  readonly into: PictureTarget | undefined;
  readonly profiler: Profiler | undefined;
  /** Whether the profiler times every dispatch. */
  readonly timed: boolean;
  /** With the picture, where its pixels are read. */
  readonly resolve: (picture?: Picture) => void;
  readonly reject: (error: unknown) => void;
}

const queues = new WeakMap<Network<VqConfig>, PictureQueue>();

/** The queue of a tokenizer, one for all who use it. */
export function pictureQueue(network: Network<VqConfig>): PictureQueue {
  const queue = queues.get(network) ?? new PictureQueue(network);
  queues.set(network, queue);
  return queue;
}

class PictureQueue {
  readonly #network: Network<VqConfig>;
  readonly #waiting: Waiting[] = [];
  readonly #most = new Map<string, number>();
  #isTaking = false;

  constructor(network: Network<VqConfig>) {
    this.#network = network;
  }

  /** Most pictures of a run, a power of two. */
  async most(grid: GridSize): Promise<number> {
    const most = this.#most.get(`${grid}`) ?? (await imagesARun(this.#network, grid));
    this.#most.set(`${grid}`, most);
    return most;
  }

  /** Builds the decoder that so many pictures at once are decoded with first. */
  async prepare(grid: GridSize, images: number): Promise<void> {
    await this.#network.exclusive(() => this.#decoder(grid, images));
  }

  /**
   * Decodes a grid, with others that wait by then; with a profiler, alone.
   * @throws WeightsError when pixels are not finite, DeviceError when the device fails.
   */
  async decode(picture: GridToDecode, profiler?: Profiler, timed = false): Promise<Picture> {
    const made = await this.#wait({ ...picture, into: undefined, profiler, timed });
    if (!made) throw new RangeError('a run without pictures');
    return made;
  }

  /**
   * As `decode`, but the pixels go into a target that has been checked: whatever is submitted afterwards
   * finds them there. Nothing is written where they are not finite.
   */
  async decodeInto(
    picture: GridToDecode,
    into: PictureTarget,
    profiler?: Profiler,
    timed = false,
  ): Promise<void> {
    await this.#wait({ ...picture, into, profiler, timed });
  }

  async #wait(wanted: Omit<Waiting, 'resolve' | 'reject'>): Promise<Picture | undefined> {
    const end = wanted.profiler?.begin('decode');
    const made = await new Promise<Picture | undefined>((resolve, reject) => {
      this.#waiting.push({ ...wanted, resolve, reject });
      if (!this.#isTaking) void this.#takeTurns();
    });
    end?.();
    return made;
  }

  /** Turns until nobody waits, with what others do with the network in between. */
  async #takeTurns(): Promise<void> {
    this.#isTaking = true;
    while (this.#waiting.length > 0) {
      await this.#network
        .exclusive(() => this.#turn())
        .catch((error: unknown) => this.#waiting.shift()?.reject(error)); // of its device, before the turn
    }
    this.#isTaking = false;
  }

  /** Decodes those that have waited longest. */
  async #turn(): Promise<void> {
    const [first] = this.#waiting;
    if (!first) return;
    const kind = this.#kindOf(first);
    const others = this.#waiting.findIndex(
      (other) => other.profiler || this.#kindOf(other) !== kind,
    );
    const alike = first.profiler ? 1 : others < 0 ? this.#waiting.length : others;
    let taken: readonly Waiting[] = [];
    try {
      const { decoder, images } = await this.#decoder(first.grid, alike);
      taken = this.#waiting.splice(0, images);
      const profiler = first.timed ? first.profiler : undefined;
      if (first.into) await this.#send(decoder, taken, profiler);
      else await this.#read(decoder, taken, profiler);
    } catch (error) {
      if (taken.length === 0) taken = this.#waiting.splice(0, alike);
      for (const { reject } of taken) reject(error);
    }
  }

  /** Grids of one kind can share a run. */
  #kindOf({ grid, into }: Waiting): string {
    const { width } = pictureSize(this.#network.config, grid);
    return JSON.stringify([grid, into && layoutOf(into, width)]);
  }

  /** Decodes pictures whose pixels are read. */
  async #read(
    decoder: ImageDecoder,
    taken: readonly Waiting[],
    profiler: Profiler | undefined,
  ): Promise<void> {
    const grids = taken.map(({ tokens }) => tokens);
    const pictures = await decoder.run(grids, profiler);
    for (const [i, { index, resolve, reject }] of taken.entries()) {
      const picture = pictures[i];
      if (!picture) continue;
      try {
        assertPicture(this.#network, picture, index);
        resolve(picture);
      } catch (error) {
        reject(error);
      }
    }
  }

  /** Decodes pictures whose pixels go into targets. */
  async #send(
    decoder: ImageDecoder,
    taken: readonly Waiting[],
    profiler: Profiler | undefined,
  ): Promise<void> {
    const grids = taken.map(({ tokens }) => tokens);
    const targets = taken.flatMap(({ into }) => into ?? []);
    const sent = await decoder.runInto(grids, targets, profiler);
    const { config, precision } = this.#network;
    for (const [i, { grid, index, resolve, reject }] of taken.entries()) {
      const { width, height } = pictureSize(config, grid);
      try {
        const shown = { image: index, width, pixels: width * height };
        if (sent[i]) assertFlawless(sent[i].flaws, shown, precision);
        await sent[i]?.copied;
        resolve();
      } catch (error) {
        reject(error);
      }
    }
  }

  /** The decoder of a run for some of so many images; of half as many where there is no memory. */
  async #decoder(
    grid: GridSize,
    wanted: number,
  ): Promise<{ readonly decoder: ImageDecoder; readonly images: number }> {
    for (;;) {
      const images = floorPower(Math.max(1, Math.min(wanted, await this.most(grid))));
      try {
        return { decoder: await cachedDecoder(this.#network, grid, images), images };
      } catch (error) {
        const isFull = error instanceof DeviceError && error.problem === 'out-of-memory';
        if (!isFull || images === 1) throw error;
        this.#most.set(`${grid}`, images / 2);
      }
    }
  }
}
