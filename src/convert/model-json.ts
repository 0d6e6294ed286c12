/** The `model.json` of a model that is made of checkpoints. */
import { IMAGENET_CLASSES } from '../catalogue/imagenet-classes.ts';
import { OptionError } from '../errors.ts';
import type { ModelArgs } from '../models/checkpoint-config.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import { MODEL_FORMAT, parseModelJson } from '../models/model-json.ts';
import { downsampleOf, type VqConfig } from '../models/vq-config.ts';
import { type NamedCheckpoint, titleOf } from './pair.ts';
import type { ModelOptions } from './plan.ts';

/** Sampling of the official scripts (sample_c2i.py, sample_t2i.py). */
const SAMPLING = {
  c2i: { cfg_scale: 4.0, temperature: 1.0, top_k: 2000, top_p: 1.0 },
  t2i: { cfg_scale: 7.5, temperature: 1.0, top_k: 1000, top_p: 1.0 },
} as const;

/** What is known of a model. */
export interface Described {
  readonly options: ModelOptions;
  readonly gpt: NamedCheckpoint;
  readonly vq: NamedCheckpoint;
  readonly gptArgs: ModelArgs;
  readonly vqArgs: ModelArgs;
  readonly config: GptConfig;
  readonly vqConfig: VqConfig;
}

/**
 * The content of `model.json`, checked as a reader would.
 * @throws OptionError when the names of classes are not as many as classes.
 */
export function modelJson(described: Described): Uint8Array<ArrayBuffer> {
  const { options, gpt, vq, gptArgs, vqArgs, config, vqConfig } = described;
  const pixels = config.gridSize * downsampleOf(vqConfig);
  const files = `${titleOf(gpt)} and ${titleOf(vq)}`;
  const { kind, length, ...condition } = conditionOf(described);
  const json = {
    format: MODEL_FORMAT,
    name: options.name,
    description: options.description ?? `${kind} LlamaGen, ${pixels}x${pixels} pixels, ${length}`,
    gpt: gptArgs,
    vq: vqArgs,
    ...condition,
    sampling: SAMPLING[config.modelType],
    license: options.license ?? `that of ${files}`,
    trained: options.trained ?? `converted from ${files}`,
  };
  const text = `${JSON.stringify(json, null, 2)}\n`;
  parseModelJson(text, 'model.json');
  return new TextEncoder().encode(text);
}

/** What it is conditioned on, in words, and the fields that say it. */
function conditionOf({ options, gpt, config }: Described) {
  const { modelType, numClasses, clsTokenNum } = config;
  if (modelType === 't2i') {
    const text = { max_length: clsTokenNum, clean: true };
    return { kind: 'Text-conditional', length: `prompts of ${clsTokenNum} tokens`, text };
  }
  const classes = options.classNames ?? defaultClassNames(numClasses);
  if (classes.length !== numClasses) {
    throw new OptionError(
      `"classNames" has ${classes.length} names, but ${gpt.path} has ${numClasses} classes`,
    );
  }
  return { kind: 'Class-conditional', length: `${numClasses} classes`, classes };
}

function defaultClassNames(numClasses: number): readonly string[] {
  if (numClasses === IMAGENET_CLASSES.length) return IMAGENET_CLASSES;
  return Array.from({ length: numClasses }, (_, label) => `class ${label}`);
}
