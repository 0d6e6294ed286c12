/** LlamaGen on WebGPU: the browser-safe public API. */

export { type ClassAliases, resolveClass } from './catalogue/classes.ts';
export {
  type DecodeIntoOptions,
  type DecodeOptions,
  decodeInto,
  decodeTokens,
} from './engine/decode-tokens.ts';
export type { Picture } from './engine/images.ts';
export * from './engine/index.ts';
export type { BufferTarget, PictureTarget, TextureTarget } from './engine/picture-target.ts';
export type { Progress } from './engine/progress.ts';
export type { RunOptions, RunStats } from './engine/run-steps.ts';
export type { SamplingOptions } from './engine/sampling-options.ts';
export { type Sequence, type TokenLoop, tokenLoop } from './engine/token-loop.ts';
export {
  BusyError,
  DeviceError,
  type DeviceProblem,
  DownloadError,
  type DownloadProblem,
  OptionError,
  WeightsError,
} from './errors.ts';
export { type EncodeOptions, encodePictures, type TokenGrid } from './generate/encode.ts';
export {
  type FeaturesFile,
  featuresFile,
  type PromptFeatures,
  readFeaturesFile,
} from './generate/features-file.ts';
export {
  type GeneratedImage,
  type GenerateOptions,
  type GenerateResult,
  type GenerateStats,
  generate,
  generateImages,
  type Preview,
} from './generate/generate.ts';
export {
  type EncodedPrompt,
  generateFromPrompts,
  loadTextModel,
  openPromptReader,
  type PromptOptions,
  type PromptReader,
  type TextModel,
} from './generate/prompts.ts';
export type { ReadPrompt } from './generate/read-prompts.ts';
export { type GridToScore, scoreTokens } from './generate/score.ts';
export { deviceDescriptor } from './gpu/device.ts';
export { findMatrices } from './gpu/find-matrices.ts';
export type { Matrices } from './gpu/matrices.ts';
export type { MemoryUse } from './gpu/memory.ts';
export {
  type AdapterFacts,
  adapterFacts,
  chooseVariant,
  variantOf,
} from './gpu/variants.ts';
export { estimateMemory } from './load/estimate-memory.ts';
export type { Fingerprint } from './load/fingerprint.ts';
export { type LoadOptions, loadModel, type Model } from './load/model.ts';
export { loadTextEncoder, type T5Encoder, type TextEncoderOptions } from './load/text-encoder.ts';
export type { CaptionFeatures } from './models/caption.ts';
export { GPT_SIZES, type GptConfig, gptConfig, gptParameterCount } from './models/gpt-config.ts';
export { type ModelJson, parseModelJson, type TextSettings } from './models/model-json.ts';
export {
  PRECISIONS,
  type Precision,
  type PrecisionName,
  precisionName,
  WEIGHT_DTYPES,
  type WeightDTypeOption,
} from './models/precision.ts';
export type { T5Config } from './models/t5-config.ts';
export { type ByteSource, type ModelFiles, memorySource } from './weights/source.ts';
