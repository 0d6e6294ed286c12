/**
 * What the API process and those who draw for it say to each other. Jobs are JSON; events are JSON but
 * for pixels, which are bytes: they travel to child processes and through queues as they are.
 */
import type { SamplingOptions } from '../engine/sampling-options.ts';
import { DeviceError } from '../errors.ts';
import type { Fingerprint } from '../load/fingerprint.ts';
import type { SamplingDefaults, TextSettings } from '../models/model-json.ts';
import type { BackendLoad } from './load.ts';

export type { BackendLoad };

/** A model as clients see it. */
export interface ServedModel {
  readonly name: string;
  readonly description: string;
  /** When its files were made, in seconds since 1970. */
  readonly created: number;
  /** What it is conditioned on: classes or texts. */
  readonly modelType: 'c2i' | 't2i';
  /** In the order of the labels; none where text is the condition. */
  readonly classNames: readonly string[];
  /** Where text is the condition. */
  readonly text?: TextSettings | undefined;
  /** Pixels of its images. */
  readonly width: number;
  readonly height: number;
  /** Tokens of an image. */
  readonly blockSize: number;
  readonly sampling: SamplingDefaults;
  /** Storage of the decoder's matrices. */
  readonly dtype: string;
  /** In words. */
  readonly adapter: string;
  /** Equal ones, seeds and settings mean equal pixels, whoever draws. */
  readonly fingerprint: Fingerprint;
}

/** One image to be. */
export interface ImageJob {
  /** `name` of a model of the backend. */
  readonly model: string;
  /** The one of both that the model takes. */
  readonly condition: { readonly classIndex: number } | { readonly prompt: string };
  readonly seed: number;
  readonly sampling?: SamplingOptions | undefined;
  /** Tokens from one `preview` event to the next. Default: there are none. */
  readonly previewEvery?: number | undefined;
}

/** 8-bit RGBA, row by row from the top. */
export interface JobPicture {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8Array;
}

/** What happens to a job, in this order; `preview` and `resumed` come again and again. */
export type JobEvent =
  /** It waits; so many images come before it. */
  | { readonly type: 'queued'; readonly ahead: number }
  | { readonly type: 'started' }
  /** A device was lost, or a worker: it goes on from so many tokens, to the same pixels. */
  | { readonly type: 'resumed'; readonly done: number }
  /** The picture so far; what is not drawn yet is transparent. */
  | { readonly type: 'preview'; readonly done: number; readonly picture: JobPicture }
  | {
      readonly type: 'image';
      readonly picture: JobPicture;
      /** Tokens of the condition: one of a class, those of a text as it was read. */
      readonly promptTokens: number;
      /** Passes that it was computed in. */
      readonly passes: number;
      /** What turning tokens into pixels took. */
      readonly decodeMs: number;
      /** Digest of the text encoder, of a model of texts. */
      readonly encoder?: string | undefined;
    }
  | { readonly type: 'done' };

/** Draws for the API process: an engine of its own, child processes, or workers behind a queue. */
export interface Backend {
  readonly models: readonly ServedModel[];
  load(): BackendLoad;
  /**
   * Asks for an image. Whoever stops taking events, or aborts the signal, takes the job out within a chunk
   * of passes.
   * @throws At the first event: OptionError for a job that can never be met. Later: WeightsError where its
   * numbers are not finite, DeviceError where no device is left, the signal's reason.
   */
  submit(job: ImageJob, options: { readonly signal: AbortSignal }): AsyncIterable<JobEvent>;
  /** Whether it can draw now. */
  ready(): boolean;
  /**
   * Finishes what it was given and frees what it holds.
   * @param deadlineMs Jobs that take longer end with a DeviceError (`destroyed`).
   */
  close(deadlineMs: number): Promise<void>;
}

/** What jobs end with that a backend has no time for any more. */
export const closed = (): DeviceError =>
  new DeviceError('destroyed', 'the server is shutting down: ask again');

/** Whether another worker could do what this one could not. */
export const isWorkersFault = (error: unknown): boolean => error instanceof DeviceError;
