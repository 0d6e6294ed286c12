/** `llamagen-webgpu/node`: adapter, files and PNG for Node. */

export type { Ignorable } from '../models/agreement.ts';
export {
  type GridOptions,
  imageGrid,
  type RgbaImage,
  type Sheet,
  type SheetOptions,
  sheetOf,
} from '../picture/grid.ts';
export type { PngText } from '../picture/png-format.ts';
export { CaptionCache, type CaptionCacheOptions, type FeaturesOfIds } from './caption-cache.ts';
export type { Converted, ConvertOptions, ConvertPhase } from './convert.ts';
export { convertCheckpoint } from './convert.ts';
export { type TextEncoderFiles, textEncoderFolder } from './convert-text.ts';
export type { AdapterChoice, NodeDevice, OpenOptions } from './device.ts';
export { openDevice } from './device.ts';
export {
  defaultModelFolder,
  openFile,
  openFolder,
  packageFolder,
  textModelFolder,
} from './files.ts';
export {
  type DownloadedFile,
  type DownloadOptions,
  downloadFile,
  type FileFacts,
  fileFacts,
} from './hub/download.ts';
export type { DownloadProgress } from './hub/progress.ts';
export type { HubTiming } from './hub/settings.ts';
export { assertFolderWritable, assertWritable, writeFileAtomic } from './output.ts';
export { encodePng, type PngOptions } from './png.ts';
export type { TunedTiles } from './tiles-file.ts';
