/** The model that a worker draws with. */
import { DeviceError, OptionError } from '../../errors.ts';
import type { DrawingModel } from './drawing-model.ts';

export class CurrentModel {
  #model: DrawingModel | undefined;
  #replacements = 0;

  /** @throws OptionError before there is one. */
  get(): DrawingModel {
    if (!this.#model) throw new OptionError('there is no model yet: load one');
    return this.#model;
  }

  /**
   * Puts another in its place once that is ready. Where the device has no room for both, the one before goes
   * first.
   * @throws What `open` throws: then it stays, if there was room for it; AbortError when a later call came
   * first, or is on its way.
   */
  async replace(open: () => Promise<DrawingModel>): Promise<DrawingModel> {
    const replacement = ++this.#replacements;
    const next = await open().catch((error: unknown) => {
      const isFull = error instanceof DeviceError && error.problem === 'out-of-memory';
      if (!isFull || !this.#model) throw error;
      this.#close();
      return open();
    });
    if (replacement !== this.#replacements) {
      next.close();
      throw new DOMException('another model was asked for meanwhile', 'AbortError');
    }
    this.#close();
    this.#model = next;
    return next;
  }

  #close(): void {
    this.#model?.close();
    this.#model = undefined;
  }
}
