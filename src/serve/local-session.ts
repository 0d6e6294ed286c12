/** A model on a device of this process, opened again when the device is lost, and prompts read on it. */
import { setTimeout as pause } from 'node:timers/promises';
import { describeAdapter } from '../cli/report.ts';
import type { OpenedModel } from '../engine/lasting-types.ts';
import { onAbort } from '../engine/on-abort.ts';
import { DeviceError, OptionError } from '../errors.ts';
import { type EncodedPrompt, loadTextModel, type TextModel } from '../generate/prompts.ts';
import { type LoadOptions, loadModel, type Model } from '../load/model.ts';
import { downsampleOf } from '../models/vq-config.ts';
import { type NodeDevice, openDevice } from '../node/device.ts';
import type { ModelFiles } from '../weights/source.ts';
import type { ServedModel } from './backend.ts';

export interface SessionOptions {
  readonly files: ModelFiles;
  readonly load?: Pick<LoadOptions, 'dtype' | 'precision' | 'kvDtype' | 'onProgress'> | undefined;
  /** Takes lines that a user should see. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** Stops the loading. */
  readonly signal?: AbortSignal | undefined;
}

/** What is there now, or was last. */
interface Session {
  readonly opened: NodeDevice;
  readonly model: Model;
  readonly text: TextModel | undefined;
}

/** Features of a prompt, and which encoder made them. */
export interface ReadPrompt {
  readonly caption: EncodedPrompt;
  readonly encoder: string;
}

export interface ReadOptions {
  /** Why there will be no other device, once that is so. */
  readonly ended: () => Error | undefined;
  /** Waits no more. A prompt that nobody waits for any more is not read to its end. */
  readonly signal: AbortSignal;
}

/** A prompt that is read, for all who wait for it. */
interface Reading {
  readonly result: Promise<ReadPrompt>;
  readonly stop: AbortController;
  waiting: number;
  isDone: boolean;
}

/** Prompts whose features are kept: the images of a request have one in common. */
const KEPT_PROMPTS = 32;
/** Between two looks at whether there is a device again. */
const LOOK_MS = 100;

export class LocalSession {
  readonly #options: SessionOptions;
  /** From old to new. */
  readonly #prompts = new Map<string, Reading>();
  #session: Session | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Opens the device, and what is needed on it: for `createLastingEngine`. */
  readonly open = async (): Promise<OpenedModel> => {
    const { files, load, onNote } = this.#options;
    // A device that is opened again serves what was asked for before it was said to stop.
    const signal = this.#session ? undefined : this.#options.signal;
    const opened = await openDevice({ validation: false });
    try {
      if (!this.#session) for (const note of opened.notes) onNote?.(note);
      const { device, kernels } = opened;
      const common = { ...kernels, signal };
      const model = await loadModel(device, files, { ...common, ...load });
      const isText = model.config.gpt.modelType === 't2i';
      const text = isText ? await loadTextModel(device, files, common) : undefined;
      this.#session = { opened, model, text };
      const close = (): void => {
        text?.destroy();
        model.destroy();
        opened.close();
      };
      return { model, close };
    } catch (error) {
      opened.close();
      throw error;
    }
  };

  /**
   * Reads a prompt, once for all who ask for it; where its device is lost, on the next one.
   * @throws OptionError for a prompt that is none, and for a model of classes; the signal's reason.
   */
  async read(prompt: string, { ended, signal }: ReadOptions): Promise<ReadPrompt> {
    signal.throwIfAborted();
    const reading = this.#prompts.get(prompt) ?? this.#begin(prompt, ended);
    reading.waiting++;
    try {
      return await unlessAborted(reading.result, signal);
    } finally {
      if (--reading.waiting === 0 && !reading.isDone) {
        reading.stop.abort();
        this.#forget(prompt, reading); // who asks from now on is not cut off with it
      }
    }
  }

  #begin(prompt: string, ended: () => Error | undefined): Reading {
    const stop = new AbortController();
    const result = this.#read(prompt, { ended, signal: stop.signal });
    const reading: Reading = { result, stop, waiting: 0, isDone: false };
    this.#prompts.set(prompt, reading);
    result.then(
      () => {
        reading.isDone = true;
      },
      () => this.#forget(prompt, reading),
    );
    const [oldest] = this.#prompts.keys();
    if (this.#prompts.size > KEPT_PROMPTS && oldest !== undefined) this.#prompts.delete(oldest);
    return reading;
  }

  #forget(prompt: string, reading: Reading): void {
    if (this.#prompts.get(prompt) === reading) this.#prompts.delete(prompt);
  }

  async #read(prompt: string, { ended, signal }: ReadOptions): Promise<ReadPrompt> {
    for (;;) {
      const session = this.#session;
      const { text, model } = session ?? {};
      if (!text) throw new OptionError(`${model?.name} draws classes and reads no text`);
      try {
        const [caption] = await text.encode([prompt], { signal });
        if (!caption) throw new Error('a prompt without features');
        return { caption, encoder: text.encoder.modelDigest };
      } catch (error) {
        if (!(error instanceof DeviceError)) throw error;
        while (this.#session === session) {
          const end = ended();
          if (end) throw end;
          signal.throwIfAborted();
          await pause(LOOK_MS);
        }
      }
    }
  }

  /** @param created When its files were made, in seconds since 1970. */
  served(created: number): ServedModel {
    if (!this.#session) throw new Error('no model was opened');
    const { opened, model } = this.#session;
    const { name, config, fingerprint, gpt } = model;
    const { gridSize, blockSize, modelType } = config.gpt;
    const side = gridSize * downsampleOf(config.vq);
    return {
      ...{ name, created, modelType, blockSize, fingerprint, width: side, height: side },
      description: config.description,
      classNames: config.classNames,
      text: config.text,
      sampling: config.sampling,
      dtype: gpt.precision.dtype,
      adapter: describeAdapter(opened.adapter.info, opened.software),
    };
  }
}

/** A result, or the signal's reason as soon as it aborts. */
function unlessAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  let unlisten = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    unlisten = onAbort(signal, () => reject(signal.reason));
  });
  return Promise.race([result, aborted]).finally(unlisten);
}
