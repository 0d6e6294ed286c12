/** `llamagen info`: the adapter, what it selects, and the models present. */
import { existsSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import type { MatrixDType, TableDType } from '../../kernels/kernel.ts';
import { estimateMemory, gptParameterCount, type MemoryUse } from '../index.ts';
import { describePrecision } from '../load/fingerprint.ts';
import { gptPrecision } from '../load/precision.ts';
import type { TextSettings } from '../models/model-json.ts';
import { headDtypeOf, tableDtypeOf } from '../models/precision.ts';
import type { KernelChoices } from '../node/device.ts';
import { openFolder } from '../node/files.ts';
import type { TunedTiles } from '../node/tiles-file.ts';
import { openModelWeights } from '../weights/model-weights.ts';
import type { Safetensors } from '../weights/safetensors.ts';
import { type AdapterSummary, type CommonOptions, withDevice } from './context.ts';
import { findModels, readModelJson } from './models.ts';
import { formatMB, type Report } from './report.ts';

/** Limits that decide which models and kernels run. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** Features every device has, so that listing them says nothing. */
const COMMON_FEATURES: ReadonlySet<string> = new Set(['core-features-and-limits']);

/** Most classes or words on the line of a model; `info MODEL` and `--json` have them all. */
const MAX_CLASSES = 50;

/** One model folder, or why it is none. */
type ModelFacts = { readonly folder: string } & (
  | {
      readonly name: string;
      /** None where it draws prompts. */
      readonly classes: readonly string[];
      /** Where it draws prompts. */
      readonly text?: TextSettings | undefined;
      /** Whether it has its text encoder and tokenizer: without them it takes features only. */
      readonly readsText?: boolean | undefined;
      /** Tokens of a side. */
      readonly gridSize: number;
      readonly parameters: { readonly gpt: number; readonly vq: number };
      /** Storage on the device of the decoder's matrices, output head and embeddings. */
      readonly dtype: MatrixDType;
      /** In words. */
      readonly precision: string;
      readonly headDtype: MatrixDType;
      readonly tableDtype: TableDType;
      /** Bytes on the device for one image with guidance. */
      readonly memory: MemoryUse;
    }
  | { readonly problem: string }
);

/** Runs the command. A broken model folder is one line, not the end. */
export async function runInfo(options: CommonOptions, report: Report): Promise<void> {
  await withDevice(report, async (device, adapter, { tuned, kernels }) => {
    const { variant, features, limits } = printDevice(device, adapter, kernels, report);
    const tiles = printTiles(tuned, report);
    const folders = new Set([...findModels(), resolve(options.model)]);
    const models = await Promise.all([...folders].map((folder) => describeModel(folder, device)));
    for (const model of models) printModel(model, report);
    report.json({ adapter, features, limits, variant, tiles, models });
  });
}

function printDevice(
  device: GPUDevice,
  adapter: AdapterSummary,
  { variant }: KernelChoices,
  report: Report,
) {
  const features = [...device.features].filter((name) => !COMMON_FEATURES.has(name)).sort();
  const limits = Object.fromEntries(LIMITS.map((name) => [name, device.limits[name]]));
  report.line(`dawn     ${adapter.toggles.join(' ')}`);
  report.line(`features ${features.join(', ') || 'none'}`);
  for (const [name, value] of Object.entries(limits)) report.line(`limit    ${name} ${value}`);
  const halves = variant.f16 ? 'native halves' : 'packed halves';
  report.line(`kernels  reduce: ${variant.reduce}, f16: ${halves}`);
  return { variant, features, limits };
}

function printTiles({ path, tuned, tiles }: TunedTiles, report: Report) {
  const [better, measured] = [Object.keys(tiles).length, Object.keys(tuned).length];
  const what = measured > 0 ? `${better} tuned of ${measured} measured` : 'none measured';
  report.line(`tiles    ${what} (${path})`);
  return { file: path, tuned: better, measured };
}

async function describeModel(folder: string, device: GPUDevice): Promise<ModelFacts> {
  try {
    const files = openFolder(folder);
    const config = await readModelJson(files);
    const gpt = await openModelWeights(files, 'gpt');
    const vq = await openModelWeights(files, 'vq');
    const precision = gptPrecision(device, gpt);
    return {
      folder,
      name: config.name,
      classes: config.classNames,
      ...(config.text && { text: config.text, readsText: hasEncoder(folder) }),
      gridSize: config.gpt.gridSize,
      parameters: { gpt: gptParameterCount(config.gpt), vq: countValues(vq) },
      dtype: precision.dtype,
      precision: describePrecision(precision),
      headDtype: headDtypeOf(precision),
      tableDtype: tableDtypeOf(precision),
      memory: estimateMemory(config, { rows: 2, slots: 2 }, precision),
    };
  } catch (error) {
    return { folder, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Whether a folder has what turns prompts into features. */
const hasEncoder = (folder: string): boolean =>
  existsSync(join(folder, 'tokenizer.json')) &&
  ['t5.json', join('t5', 'config.json')].some((file) => existsSync(join(folder, file)));

/** What it draws. */
function describeCondition({
  classes,
  text,
  readsText,
}: Pick<Extract<ModelFacts, { readonly name: string }>, 'classes' | 'text' | 'readsText'>): string {
  if (!text) return `${classes.length} classes: ${someOf(classes)}`;
  const { maxLength, words = [] } = text;
  const known = words.length > 0 ? `, knows ${words.length} things: ${someOf(words)}` : '';
  return readsText
    ? `prompts of up to ${maxLength} tokens${known}`
    : `features of prompts of up to ${maxLength} tokens: it has no text encoder`;
}

function someOf(names: readonly string[]): string {
  const more = names.length > MAX_CLASSES ? ', ...' : '';
  return names.slice(0, MAX_CLASSES).join(', ') + more;
}

function countValues({ tensors }: Safetensors): number {
  return [...tensors.values()].reduce(
    (sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1),
    0,
  );
}

function printModel(model: ModelFacts, report: Report): void {
  const folder = shownFolder(model.folder);
  if ('problem' in model) {
    report.line(`model    ${folder}: cannot be used: ${model.problem}`);
    return;
  }
  const { name, gridSize, parameters, precision, memory } = model;
  const millions = (count: number): string => `${(count / 1e6).toFixed(1)}M`;
  report.line(`model    ${name} (${folder})`);
  report.line(`         ${describeCondition(model)}`);
  report.line(`         ${gridSize}x${gridSize} tokens an image`);
  report.line(
    `         parameters: decoder ${millions(parameters.gpt)} (${precision}), tokenizer ${millions(parameters.vq)}`,
  );
  report.line(
    `         memory for one image: weights ${formatMB(memory.weights)}, KV cache and state ${formatMB(memory.state)}, transients ${formatMB(memory.temp)}`,
  );
}

/** From here where it is below, so that lines stay short. */
function shownFolder(folder: string): string {
  const here = relative(process.cwd(), folder) || '.';
  return here.startsWith('..') || isAbsolute(here) ? folder : here;
}
