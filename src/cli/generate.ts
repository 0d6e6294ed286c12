/** `llamagen generate`: classes to pictures. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { OptionError } from '../errors.ts';
import { imageGrid } from '../generate/grid.ts';
import { generateSettings } from '../generate/settings.ts';
import {
  type GeneratedImage,
  type GenerateResult,
  generate,
  loadModel,
  type Model,
  type ModelJson,
  type SamplingOptions,
  type WeightDTypeOption,
} from '../index.ts';
import { openFolder } from '../node/files.ts';
import { assertFolderWritable, assertWritable, writeFileAtomic } from '../node/output.ts';
import { encodePng } from '../node/png.ts';
import { parseClasses, randomSeed, repeatEach } from './arguments.ts';
import { type AdapterSummary, type CommonOptions, withDevice } from './context.ts';
import { readModelJson } from './models.ts';
import { checkProfile, openProfile, type ProfileOption, reportProfile } from './profile.ts';
import { formatMs, type Report } from './report.ts';
import { formatTokens } from './tokens-file.ts';

export interface GenerateOptions extends CommonOptions {
  readonly class: readonly string[];
  readonly count: number;
  readonly seed?: number;
  readonly cfgScale?: number;
  readonly cfgInterval?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly greedy?: boolean;
  readonly dtype: WeightDTypeOption;
  readonly out: string;
  readonly outDir?: string;
  readonly tokensOut?: string;
  readonly profile?: ProfileOption;
}

/** An output file, and its bytes. */
interface Output {
  readonly path: string;
  readonly bytes: Uint8Array | string;
}

/** Runs the command. Everything that can be refused is refused before the weights are read. */
export async function runGenerate(
  options: GenerateOptions,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  checkOutputs(options);
  const files = openFolder(options.model);
  const config = await readModelJson(files);
  const asked = {
    ...samplingOf(options),
    classes: repeatEach(parseClasses(config.classNames, options.class), options.count),
    seed: options.seed ?? randomSeed(),
  };
  generateSettings(config, asked);
  await withDevice(report, async (device, adapter) => {
    const profiler = await openProfile(device, options.profile);
    const endLoad = profiler?.begin('load');
    const start = performance.now();
    const model = await loadModel(device, files, {
      signal,
      weightDtype: options.dtype,
      onProgress: (done, total) =>
        report.progress({ phase: 'load', done, total, elapsedMs: performance.now() - start }),
    });
    const loadMs = performance.now() - start;
    endLoad?.();
    report.line(`model    ${model.name} (${model.gpt.precision.weightDtype})`);
    noteFlushed(model, report);
    const result = await generate(model, {
      ...asked,
      signal,
      ...(profiler && { profiler }),
      onProgress: (progress) => report.progress(progress),
    });
    const outputs = outputsOf(options, config, result.images);
    // Nothing is written once the user has asked to stop.
    signal.throwIfAborted();
    if (options.outDir !== undefined) mkdirSync(options.outDir, { recursive: true });
    for (const { path, bytes } of outputs) writeFileAtomic(path, bytes);
    const { profile } = options;
    const describeProfile = () => reportProfile(report, device, profiler, profile, result.runs);
    await describe(report, { adapter, model, loadMs, result, outputs, describeProfile });
  });
}

function noteFlushed({ gpt }: Model, report: Report): void {
  const { flushedValues, precision } = gpt;
  if (flushedValues === 0) return;
  report.note(
    `${flushedValues} weights are too small for ${precision.weightDtype} and became zero`,
  );
}

function samplingOf(options: GenerateOptions): SamplingOptions {
  const { cfgScale, cfgInterval, temperature, topK, topP, greedy } = options;
  const given = { cfgScale, cfgInterval, temperature, topK, topP, greedy };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function checkOutputs({ out, outDir, tokensOut, profile }: GenerateOptions): void {
  if (outDir === undefined) assertWritable(out);
  else assertFolderWritable(outDir);
  checkProfile(profile, [...(outDir === undefined ? [out] : []), tokensOut ?? []].flat());
  if (tokensOut === undefined) return;
  assertWritable(tokensOut);
  if (outDir === undefined && resolve(out) === resolve(tokensOut)) {
    throw new OptionError(`--out and --tokens-out are the same file: ${out}`);
  }
}

function outputsOf(
  { out, outDir, tokensOut }: GenerateOptions,
  { classNames, gpt: { gridSize } }: ModelJson,
  images: readonly GeneratedImage[],
): Output[] {
  const outputs: Output[] =
    outDir === undefined
      ? [{ path: out, bytes: encodePng(imageGrid(images)) }]
      : images.map((image, i) => ({
          path: join(outDir, imageName(i, images.length, classNames, image)),
          bytes: encodePng(image),
        }));
  if (tokensOut !== undefined) {
    const listed = images.map(({ classIndex, seed, tokens }) => ({
      class: classIndex,
      seed,
      tokens: [...tokens],
    }));
    outputs.push({
      path: tokensOut,
      bytes: formatTokens({ grid: [gridSize, gridSize], images: listed }),
    });
  }
  return outputs;
}

/** `{index}-{class}-{seed}.png`, numbered so that names sort like the images. */
function imageName(
  index: number,
  images: number,
  classNames: readonly string[],
  { classIndex, seed }: GeneratedImage,
): string {
  const name = classNames[classIndex] ?? '';
  const slug = name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
  const number = String(index).padStart(String(images - 1).length, '0');
  return `${number}-${slug || classIndex}-${seed}.png`;
}

interface Finished {
  readonly adapter: AdapterSummary;
  readonly model: Model;
  readonly loadMs: number;
  readonly result: GenerateResult;
  readonly outputs: readonly Output[];
  readonly describeProfile: () => Promise<unknown>;
}

async function describe(report: Report, finished: Finished): Promise<void> {
  const { adapter, model, loadMs, result, outputs, describeProfile } = finished;
  const { classNames } = model.config;
  const { compileMs, tokensMs, decodeMs } = result.timings;
  const count = result.images.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const rate = (count / tokensMs) * 1000;
  report.line(`load     ${formatMs(loadMs)}`);
  report.line(`compile  ${formatMs(compileMs)}`);
  report.line(`tokens   ${formatMs(tokensMs)}  ${count} tokens, ${rate.toFixed(1)} tokens/s`);
  report.line(`decode   ${formatMs(decodeMs)}`);
  const images = result.images.map(({ classIndex, seed }, index) => ({
    index,
    class: classIndex,
    name: classNames[classIndex] ?? '',
    seed,
  }));
  for (const { index, name, seed } of images) {
    report.line(`image ${index}  ${name}, seed ${seed}`);
  }
  const files = outputs.map(({ path }) => path);
  for (const file of files) report.line(`wrote ${file}`);
  const profile = await describeProfile();
  report.json({
    adapter,
    model: model.name,
    memory: model.memory,
    timings: { load: loadMs, compile: compileMs, tokens: tokensMs, decode: decodeMs },
    tokensPerSecond: rate,
    images,
    files,
    ...(profile !== undefined && { profile }),
  });
}
