/** What a model store takes and gives. */
import type { ModelType } from '../../models/gpt-config.ts';
import type { ModelFiles } from '../../weights/source.ts';

/**
 * Where models are kept: in the origin's private file system, in the Cache API, or for as long as the
 * page lives.
 */
export type StoreKind = 'opfs' | 'cache' | 'memory';

/** Where a model is fetched from. */
export type RemoteSource =
  /** A model folder, by its address, absolute or relative to the page. */
  | { readonly url: string }
  /**
   * A repository of the Hugging Face hub (`owner/name`, or its address), or an official model such as
   * `c2i-B-256`.
   */
  | { readonly hub: string; readonly revision?: string | undefined };

/** Where a model comes from. */
export type ModelSource =
  | RemoteSource
  /** Files that a person gave: those of a model folder, or a decoder and a tokenizer (`.pt`, safetensors). */
  | { readonly files: readonly File[] };

/** How far the files of a model are, all of them together. */
export interface StoreProgress {
  /** The file that is being fetched. */
  readonly file: string;
  /** Bytes that are here. */
  readonly done: number;
  /** Bytes that were here before. */
  readonly resumed: number;
  readonly total: number;
}

export interface OpenOptions {
  /** Stops the download; what came is kept, and the next one goes on behind it. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: StoreProgress) => void) | undefined;
  /**
   * A line that a user should see: no room, a stored file that was mended. `isPassing` where it says what is
   * going on just now: another tab at work, a server that is asked again.
   */
  readonly onNote?: ((note: string, isPassing?: boolean) => void) | undefined;
}

/** A model that is kept, or a part of one whose download was cut. */
export interface StoredModel {
  readonly id: string;
  readonly name: string;
  readonly source: RemoteSource;
  /** Bytes of all its files. */
  readonly bytes: number;
  /** Bytes that are here, with those of a newer version that was not fetched to its end. */
  readonly storedBytes: number;
  /** When it was opened last, in milliseconds since 1970. */
  readonly usedAt: number;
}

export interface StoreUsage {
  /** Bytes of the models that are kept. */
  readonly models: number;
  /** Bytes of everything that this origin keeps; undefined where the browser does not say. */
  readonly used?: number | undefined;
  /** Bytes that it may keep. */
  readonly quota?: number | undefined;
}

/** What is known of a model before its weights are fetched. */
export interface SourceEstimate {
  /** Of the model. */
  readonly name: string;
  readonly modelType: ModelType;
  /** Pixels of a side of its pictures. */
  readonly pixels: number;
  /** Bytes of its files. */
  readonly bytes: number;
  /** Bytes of them that the store has: all, where nothing is to be fetched; none of files that were given. */
  readonly storedBytes: number;
  /** GPU bytes for one guided picture. */
  readonly gpuBytes: number;
  /** The largest buffer that is not a weight; weights are cut into parts that fit. */
  readonly largestBuffer: { readonly name: string; readonly bytes: number };
}

/** Keeps models, so that each is downloaded once. */
export interface ModelStore {
  readonly kind: StoreKind;
  /** Why no better kind is used; undefined where there is none. */
  readonly note?: string | undefined;
  /**
   * The files of a model: those that are kept, after what is missing of them was fetched.
   * @throws DownloadError when something cannot be fetched, WeightsError when it is no model, OptionError
   * when the source is none; the reason of `signal` once it is aborted.
   */
  open(source: ModelSource, options?: OpenOptions): Promise<ModelFiles>;
  /**
   * What a model takes, before it is fetched; of one that is kept without a network.
   * @throws as `open`.
   */
  estimate(
    source: ModelSource,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<SourceEstimate>;
  /** What is kept, what was used last first. */
  list(): Promise<readonly StoredModel[]>;
  /** Forgets a model; nothing happens where there is no such one. */
  remove(id: string): Promise<void>;
  usage(): Promise<StoreUsage>;
}
