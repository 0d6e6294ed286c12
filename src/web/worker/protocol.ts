/** What a page asks a worker for, and what it is told: plain data alone, but for errors. */
import type { AdapterRoom } from '../../catalogue/checkpoint-memory.ts';
import type { LastingEvent } from '../../engine/lasting-types.ts';
import type { ImageRequest } from '../../engine/request.ts';
import type { Fingerprint } from '../../load/fingerprint.ts';
import type { LoadOptions } from '../../load/model.ts';
import type { SamplingDefaults, TextSettings } from '../../models/model-json.ts';
import type { PrecisionName } from '../../models/precision.ts';
import type {
  ModelSource,
  ModelStore,
  SourceEstimate,
  StoredModel,
  StoreUsage,
} from '../store/types.ts';

/** The adapter that a worker computes on. */
export interface AdapterView extends AdapterRoom {
  /** A name for people. */
  readonly description: string;
  /** Whether it computes on the CPU, slowly. */
  readonly software: boolean;
  /** Lines a user should see. */
  readonly notes: readonly string[];
}

/** What a model takes, and why this device cannot hold it; undefined where nothing speaks against it. */
export interface ModelEstimate extends SourceEstimate {
  readonly problem?: string | undefined;
}

/** A model that is ready to draw. */
export interface ModelView {
  readonly name: string;
  /** Where it was loaded from. */
  readonly source: ModelSource;
  readonly description: string;
  /** `c2i` draws classes, `t2i` prompts. */
  readonly modelType: 'c2i' | 't2i';
  /** Names by class index; none where text is the condition. */
  readonly classNames: readonly string[];
  /** How prompts are read, where text is the condition. */
  readonly text?: TextSettings | undefined;
  /** Pixels of a side of its images. */
  readonly imageSize: number;
  /** Rows of tokens of an image, and as many columns. */
  readonly gridSize: number;
  /** Settings where a request has none. */
  readonly sampling: SamplingDefaults;
  /** Whether it can complete pictures: its tokenizer has an encoder. */
  readonly canComplete: boolean;
  /** Most images that are drawn side by side; guidance halves it. */
  readonly capacity: number;
  readonly precision: PrecisionName;
  readonly license: string;
  /** What pictures depend on besides requests. */
  readonly fingerprint: Fingerprint;
  /** Bytes of GPU memory. */
  readonly gpuBytes: number;
}

/** How a model is put on the device; see `LoadOptions`. */
export type DeviceOptions = Pick<LoadOptions, 'precision' | 'dtype'>;

/** A model to load. */
export interface LoadRequest extends DeviceOptions {
  readonly source: ModelSource;
}

/** How far loading is, in bytes: what this browser keeps of the files, then what is on the device. */
export interface LoadProgress {
  readonly phase: 'download' | 'load';
  readonly done: number;
  readonly total: number;
}

/** The model before went to make room: there is none until the load ends, and none where that fails. */
export interface ModelClosed {
  readonly phase: 'closed';
}

/** What is going on just now, such as that another tab is waited for. */
export interface PassingNote {
  readonly phase: 'passing';
  readonly note: string;
}

/** Where models are kept, and why in no better place. */
export type StoreView = Pick<ModelStore, 'kind' | 'note'> & StoreUsage;

/** A picture to be completed; its middle is taken where it has another shape than the model's. */
export interface GivenPicture {
  readonly width: number;
  readonly height: number;
  /** 8-bit RGBA, row by row. What is transparent counts as white. */
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
  /** Rows of tokens, from the top, that the image begins with: at least one is drawn. */
  readonly keepRows: number;
}

/** One image to be: a class or a prompt, whichever the model takes. */
export interface DrawRequest extends Omit<ImageRequest, 'caption' | 'into'> {
  readonly prompt?: string | undefined;
  /** Begin with the upper rows of this picture; in the place of `prefix`. */
  readonly from?: GivenPicture | undefined;
  /**
   * `fingerprint.digest` of the model that is meant. Where another draws by now, the request ends with a
   * DeviceError (`destroyed`). Default: whichever is there.
   */
  readonly fingerprint?: string | undefined;
}

/** What happens to a request. Pixels and tokens are the receiver's. */
export type DrawEvent =
  | LastingEvent
  /** What reads prompts or pictures is loaded, at the first of them: bytes on the device. */
  | {
      readonly type: 'loading';
      readonly part: 'text encoder' | 'picture encoder';
      readonly done: number;
      readonly total: number;
    }
  /** What was read of a prompt: the text as the model sees it, and what it has no room for. */
  | { readonly type: 'prompt'; readonly text: string; readonly cut?: string | undefined }
  /** The tokens that a given picture became, so far as they are kept. */
  | { readonly type: 'prefix'; readonly tokens: Uint32Array<ArrayBuffer> };

/** A call: what it is given, what it tells meanwhile, and its answer. */
interface Call<Given, Told, Answer> {
  readonly given: Given;
  readonly told: Told;
  readonly answer: Answer;
}

/** What a worker can be asked for. */
export interface Calls {
  /** The version of the package, which has to be the page's. */
  readonly hello: Call<undefined, never, string>;
  readonly adapter: Call<undefined, never, AdapterView>;
  readonly estimate: Call<ModelSource, never, ModelEstimate>;
  /** Tells how far it is, and lines that a user should see. */
  readonly load: Call<LoadRequest, LoadProgress | ModelClosed | PassingNote | string, ModelView>;
  /** The model that draws, if there is one. */
  readonly model: Call<undefined, never, ModelView | undefined>;
  readonly draw: Call<DrawRequest, DrawEvent, void>;
  readonly store: Call<undefined, never, StoreView>;
  readonly models: Call<undefined, never, readonly StoredModel[]>;
  readonly remove: Call<string, never, void>;
  readonly loseDevice: Call<undefined, never, void>;
}
