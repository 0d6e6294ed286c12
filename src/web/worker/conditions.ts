/** From what a page asks to what an engine takes: prompts become features, given pictures tokens. */
import { type ImageRequest, takenBy } from '../../engine/request.ts';
import { OptionError } from '../../errors.ts';
import type { PictureEncoder } from '../../generate/picture-encoder.ts';
import type { TextModel } from '../../generate/prompts.ts';
import type { ModelJson } from '../../models/model-json.ts';
import { assertKeepRows, fitted } from '../../picture/completion.ts';
import type { ModelFiles } from '../../weights/source.ts';
import { Captions } from './captions.ts';
import { type Devices, type Make, OnDevice, type OnProgress } from './devices.ts';
import type { DeviceOptions, DrawEvent, DrawRequest, GivenPicture } from './protocol.ts';

interface ReadOptions {
  readonly signal: AbortSignal;
  readonly onEvent: (event: DrawEvent) => void;
}

/** What reads prompts and pictures is neither fetched nor in memory before the first of them. */
export class Conditions {
  readonly #config: ModelJson;
  readonly #captions: Captions;
  readonly #pictures: OnDevice<PictureEncoder>;

  constructor(
    files: ModelFiles,
    devices: Devices,
    config: ModelJson,
    { precision }: DeviceOptions,
  ) {
    this.#config = config;
    const loadText: Make<TextModel> = async ({ device, kernels }, onProgress) => {
      const { loadTextModel } = await import('../../generate/prompts.ts');
      return loadTextModel(device, files, { ...kernels, onProgress });
    };
    const loadPictures: Make<PictureEncoder> = async ({ device, kernels }, onProgress) => {
      const { loadPictureEncoder } = await import('../../generate/picture-encoder.ts');
      return loadPictureEncoder(device, files, { ...kernels, precision, onProgress });
    };
    this.#captions = new Captions(new OnDevice(devices, loadText));
    this.#pictures = new OnDevice(devices, loadPictures);
  }

  /** @throws OptionError for what this model does not take; what loading and reading throw. */
  async read({ prompt, from, ...asked }: DrawRequest, options: ReadOptions): Promise<ImageRequest> {
    if (from && asked.prefix) throw new OptionError('give "from" or "prefix", not both');
    return {
      ...asked,
      ...(prompt !== undefined && { caption: await this.#caption(prompt, options) }),
      ...(from && { prefix: await this.#prefix(from, options) }),
    };
  }

  /** Frees what was loaded. */
  destroy(): void {
    this.#captions.destroy();
    this.#pictures.destroy();
  }

  async #caption(prompt: string, { onEvent }: ReadOptions) {
    const { gpt } = this.#config;
    if (gpt.modelType === 'c2i') {
      throw new OptionError(`${takenBy(gpt)}: give "classIndex", not "prompt"`);
    }
    const onProgress: OnProgress = (done, total) =>
      onEvent({ type: 'loading', part: 'text encoder', done, total });
    const caption = await this.#captions.of(prompt, onProgress);
    onEvent({ type: 'prompt', text: caption.text, cut: caption.cut });
    return caption;
  }

  async #prefix({ keepRows, ...image }: GivenPicture, { signal, onEvent }: ReadOptions) {
    assertKeepRows('"keepRows"', keepRows, this.#config);
    const picture = fitted(image, this.#config);
    const onProgress: OnProgress = (done, total) =>
      onEvent({ type: 'loading', part: 'picture encoder', done, total });
    const [grid] = await this.#pictures.use(
      (encoder) => encoder.encode([picture], { signal }),
      onProgress,
    );
    if (!grid) throw new Error('a picture without tokens');
    const tokens = grid.tokens.slice(0, keepRows * grid.width);
    onEvent({ type: 'prefix', tokens });
    return tokens;
  }
}
