/** `llamagen generate`: classes or prompts to pictures. */
import { generateSettings } from '../generate/settings.ts';
import {
  type CaptionFeatures,
  type GenerateStats,
  generateImages,
  type GenerateOptions as LibraryOptions,
  loadModel,
  type Model,
  type PrecisionName,
  precisionName,
  type SamplingOptions,
  type Sequence,
  type WeightDTypeOption,
} from '../index.ts';
import { describePrecision } from '../load/fingerprint.ts';
import { openFolder } from '../node/files.ts';
import { type MadeBy, type MadeImage, nameOf, oneLine } from '../picture/made.ts';
import { randomSeed, repeatEach } from './arguments.ts';
import { type Captions, captionsOf, standIns } from './captions.ts';
import { completionOf } from './completion.ts';
import {
  type Condition,
  type ConditionArguments,
  conditionOf,
  modelFor,
  noteTexts,
  subjectsOf,
} from './condition.ts';
import { type AdapterSummary, type OutputOptions, withFastDevice } from './context.ts';
import { keepStdout, shownDestination } from './destinations.ts';
import { follower } from './estimate.ts';
import { readModelJson } from './models.ts';
import { previewOptions } from './preview.ts';
import { openProfile, type ProfileOption, reportProfile } from './profile.ts';
import { describeAdapter, formatMs, type Report } from './report.ts';
import type { LookOptions } from './sheet-look.ts';
import { type Written, writeAll } from './write-images.ts';
import { planOf } from './write-plan.ts';

export interface GenerateOptions extends OutputOptions, LookOptions, ConditionArguments {
  /** Folder of the model. Default: the shipped one that draws what is asked for. */
  readonly model?: string | undefined;
  readonly count: number;
  readonly seed?: number | undefined;
  readonly cfgScale?: number | undefined;
  readonly cfgInterval?: number | undefined;
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly greedy?: boolean | undefined;
  readonly dtype: WeightDTypeOption;
  /** Default: that of the library. */
  readonly precision?: PrecisionName | undefined;
  /** Storage of the KV cache. Default: that of the precision. */
  readonly kv?: 'f32' | 'f16' | undefined;
  readonly batch?: number | undefined;
  readonly window?: number | 'auto' | undefined;
  /** With `keepRows`. */
  readonly from?: string | undefined;
  readonly keepRows?: number | undefined;
  readonly preview?: string | undefined;
  readonly previewEvery?: number | undefined;
  readonly out: string;
  readonly outDir?: string | undefined;
  readonly tokensOut?: string | undefined;
  readonly profile?: ProfileOption | undefined;
}

/** Runs the command. Everything that can be refused is refused before the weights are read. */
export async function runGenerate(
  options: GenerateOptions,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const folder = modelFor(options.model, options);
  const files = openFolder(folder);
  const config = await readModelJson(files);
  const condition = await conditionOf(folder, config, options);
  const subjects = subjectsOf(condition, options.count);
  const asked = {
    ...samplingOf(options),
    seed: options.seed ?? randomSeed(),
    batch: options.batch,
    window: options.window,
  };
  const { sequences, note } = generateSettings(config, {
    ...asked,
    ...drawn(condition, standIns(condition, config), options.count),
  });
  if (note) report.note(note);
  const completion = completionOf(options, config);
  const previews = previewOptions(options, config);
  const planned = sequences.map(({ seed }, i) => ({ condition: subjects[i] ?? '', seed }));
  const plan = planOf({ ...options, model: folder }, config, planned);
  keepStdout(options, report);
  if ('prompts' in condition) noteTexts(condition, config, report);
  await withFastDevice(report, async (device, adapter, { kernels }) => {
    const profiler = await openProfile(device, options.profile);
    const endText = profiler?.begin('text');
    const where = { device, kernels, folder, report, signal };
    const captions = 'classes' in condition ? undefined : await captionsOf(condition, where);
    endText?.();
    const endLoad = profiler?.begin('load');
    const start = performance.now();
    const model = await loadModel(device, files, {
      signal,
      ...kernels,
      dtype: options.dtype,
      precision: options.precision,
      kvDtype: options.kv,
      encoder: completion !== undefined,
      onProgress: (done, total) =>
        report.progress({ phase: 'load', done, total, elapsedMs: performance.now() - start }),
    });
    const loadMs = performance.now() - start;
    endLoad?.();
    report.line(`model    ${model.name} (${describePrecision(model.gpt.precision)})`);
    noteFlushed(model, report);
    const prefix = await completion?.prefix(model, signal);
    if (completion) report.line(completion.line);
    const images = generateImages(model, {
      ...asked,
      ...drawn(condition, captions?.features ?? [], options.count),
      prefix,
      ...previews,
      signal,
      profiler,
      onProgress: follower(report, sequences.length),
    });
    const made = { ...madeBy(model, adapter, sequences), encoder: captions?.encoder };
    const written = await writeAll(plan, made, images, { report, signal });
    const { profile } = options;
    const describeProfile = () =>
      reportProfile(report, device, profiler, profile, written.stats.runs);
    const facts = { adapter, model, made: plan.images, condition, captions, loadMs };
    await describe(report, { ...facts, ...written, describeProfile });
  });
}

/** What the library is asked to draw. */
function drawn(
  condition: Condition,
  captions: readonly CaptionFeatures[],
  count: number,
): Pick<LibraryOptions, 'classes' | 'captions'> {
  return 'classes' in condition
    ? { classes: repeatEach(condition.classes, count) }
    : { captions: repeatEach(captions, count) };
}

function drawnBy(sequence: Sequence): SamplingOptions {
  const { cfgScale, cfgInterval, temperature, topK, topP, greedy } = sequence;
  return { cfgScale, cfgInterval, temperature, topK, topP, greedy };
}

/** What the pictures say about how they were made. */
function madeBy(
  { name, gpt, fingerprint }: Model,
  adapter: AdapterSummary,
  [first]: readonly Sequence[],
): MadeBy {
  return {
    model: name,
    ...(first && { sampling: drawnBy(first) }),
    dtype: gpt.precision.dtype,
    adapter: describeAdapter(adapter, adapter.software),
    fingerprint,
  };
}

function noteFlushed({ gpt }: Model, report: Report): void {
  const { flushedValues, precision } = gpt;
  if (flushedValues === 0) return;
  report.note(`${flushedValues} weights are too small for ${precision.dtype} and became zero`);
}

function samplingOf(options: GenerateOptions): SamplingOptions {
  const { cfgScale, cfgInterval, temperature, topK, topP, greedy } = options;
  const given = { cfgScale, cfgInterval, temperature, topK, topP, greedy };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

interface Finished extends Written<GenerateStats> {
  readonly adapter: AdapterSummary;
  readonly model: Model;
  /** What the images are of. */
  readonly made: readonly MadeImage[];
  readonly condition: Condition;
  readonly captions: Captions | undefined;
  readonly loadMs: number;
  readonly describeProfile: () => Promise<unknown>;
}

async function describe(report: Report, finished: Finished): Promise<void> {
  const { adapter, model, made, captions, loadMs, stats, files, describeProfile } = finished;
  const { compileMs, tokensMs, decodeMs } = stats.timings;
  const count = finished.images.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const rate = (count / tokensMs) * 1000;
  report.line(`load     ${formatMs(loadMs)}`);
  report.line(`compile  ${formatMs(compileMs)}`);
  const { tokensPerPass, passes } = stats;
  const each = tokensPerPass > 1 ? `, ${tokensPerPass.toFixed(1)} a pass` : '';
  report.line(
    `tokens   ${formatMs(tokensMs)}  ${count} tokens, ${rate.toFixed(1)} tokens/s${each}`,
  );
  report.line(`decode   ${formatMs(decodeMs)}`);
  const images = made.map((image, index) => ({
    index,
    ...('prompt' in image
      ? { prompt: image.prompt }
      : { class: image.class, name: image.className }),
    seed: image.seed,
    passes: passes[index],
  }));
  for (const [index, image] of made.entries()) {
    report.line(`image ${index}  ${oneLine(nameOf(image))}, seed ${image.seed}`);
  }
  for (const file of files) report.line(`wrote ${shownDestination(file)}`);
  const profile = await describeProfile();
  report.json({
    adapter,
    model: model.name,
    precision: precisionName(model.gpt.precision),
    fingerprint: model.fingerprint,
    memory: model.memory,
    ...textFacts(finished),
    timings: {
      ...(captions && { text: captions.textMs }),
      ...{ load: loadMs, compile: compileMs, tokens: tokensMs, decode: decodeMs },
    },
    tokensPerSecond: rate,
    tokensPerPass,
    images,
    files,
    profile,
  });
}

/** What `--json` says of prompts: how each was read, and where its features came from. */
function textFacts({ condition, captions }: Pick<Finished, 'condition' | 'captions'>): object {
  if (!captions) return {};
  const texts =
    'prompts' in condition
      ? condition.prompts.map(({ prompt, text, ids, cut }) => ({
          prompt,
          text,
          tokens: ids.length,
          cut,
        }))
      : captions.features.map(({ tokens }) => ({ tokens }));
  return { encoder: captions.encoder, texts, fromCache: captions.fromCache };
}
