/** How far a download is. */
export interface DownloadProgress {
  readonly doneBytes: number;
  /** Undefined where the server does not say. */
  readonly totalBytes?: number | undefined;
  /** Bytes that were there when this try began. */
  readonly resumedBytes: number;
}
