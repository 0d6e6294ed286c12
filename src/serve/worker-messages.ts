/** What the API process and its child processes say to each other; pixels travel as bytes. */

import type { WireError } from '../wire-error.ts';
import type { ImageJob, JobEvent, ServedModel } from './backend.ts';
import type { BackendLoad } from './load.ts';
import type { LocalOptions } from './local-backend.ts';

/** What a child opens. */
export interface WorkerSetup extends Pick<LocalOptions, 'capacity' | 'created'> {
  /** Of the model. */
  readonly folder: string;
  readonly load?: Omit<NonNullable<LocalOptions['load']>, 'onProgress'> | undefined;
}

export type ToWorker =
  | { readonly type: 'open'; readonly setup: WorkerSetup }
  | { readonly type: 'submit'; readonly id: string; readonly job: ImageJob }
  | { readonly type: 'cancel'; readonly id: string }
  | { readonly type: 'close'; readonly deadlineMs: number };

export type FromWorker =
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'ready'; readonly models: readonly ServedModel[]; readonly load: BackendLoad }
  /** It could not open the model. */
  | { readonly type: 'refused'; readonly error: WireError }
  | { readonly type: 'load'; readonly load: BackendLoad }
  | { readonly type: 'event'; readonly id: string; readonly event: JobEvent }
  | { readonly type: 'failed'; readonly id: string; readonly error: WireError };
