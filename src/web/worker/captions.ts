/** Features of prompts: those that were used last are kept, as many images may be of one prompt. */
import type { EncodedPrompt, TextModel } from '../../generate/prompts.ts';
import type { OnDevice, OnProgress } from './devices.ts';

const MOST_KEPT = 64;

export class Captions {
  readonly #texts: OnDevice<TextModel>;
  /** What was used last comes last. */
  readonly #kept = new Map<string, Promise<EncodedPrompt>>();

  constructor(texts: OnDevice<TextModel>) {
    this.#texts = texts;
  }

  /**
   * @param onProgress Called while the text encoder is loaded, for the first who asks.
   * @throws What `TextModel.encode` throws.
   */
  of(prompt: string, onProgress: OnProgress): Promise<EncodedPrompt> {
    const features = this.#kept.get(prompt) ?? this.#encode(prompt, onProgress);
    this.#kept.delete(prompt);
    this.#kept.set(prompt, features);
    const [oldest = ''] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(oldest);
    return features;
  }

  /** Frees the text encoder. */
  destroy(): void {
    this.#texts.destroy();
  }

  #encode(prompt: string, onProgress: OnProgress): Promise<EncodedPrompt> {
    // Not with the signal of one request: others may wait for the same features.
    const features = this.#texts.use(async (text) => {
      const [encoded] = await text.encode([prompt], { onProgress });
      if (!encoded) throw new Error('a prompt without features');
      return encoded;
    }, onProgress);
    features.catch(() => this.#kept.get(prompt) === features && this.#kept.delete(prompt));
    return features;
  }
}
