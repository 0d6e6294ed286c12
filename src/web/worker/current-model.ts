/** The model that a worker draws with. */
import { DeviceError, OptionError } from '../../errors.ts';
import type { DrawingModel } from './drawing-model.ts';
import type { ModelView } from './protocol.ts';

interface ReplaceOptions {
  /** Once it aborts, the one before stays. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called when the one before went for the sake of room: from then on there is no model until `open` is done,
   * and none where that fails.
   */
  readonly onClosed?: (() => void) | undefined;
}

export class CurrentModel {
  #model: DrawingModel | undefined;
  #replacements = 0;

  /** What is known of it; undefined where there is none. */
  get view(): ModelView | undefined {
    return this.#model?.view;
  }

  /** @throws OptionError before there is one. */
  get(): DrawingModel {
    if (!this.#model) throw new OptionError('there is no model yet: load one');
    return this.#model;
  }

  /**
   * Puts another in its place once that is ready. Where the device has no room for both, the one before goes
   * first.
   * @throws What `open` throws: then the one before stays, unless `onClosed` was called; the signal's reason;
   * AbortError when a later call came first, or is on its way.
   */
  async replace(
    open: () => Promise<DrawingModel>,
    { signal, onClosed }: ReplaceOptions = {},
  ): Promise<DrawingModel> {
    const replacement = ++this.#replacements;
    const assertWanted = (): void => {
      signal?.throwIfAborted();
      if (replacement === this.#replacements) return;
      throw new DOMException('another model was asked for meanwhile', 'AbortError');
    };
    const next = await open().catch((error: unknown) => {
      const isFull = error instanceof DeviceError && error.problem === 'out-of-memory';
      if (!isFull || !this.#model) throw error;
      // What is there now may be that of a later call.
      assertWanted();
      this.#close();
      onClosed?.();
      return open();
    });
    try {
      assertWanted();
    } catch (error) {
      next.close();
      throw error;
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
